package doctest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// yaml reads the simple YAML of the docker directory into the paths of its keys:
// "services.sink.environment.DANUBE_TOPIC" has the value "/default/test", and items
// of a list are numbered. It knows no more of YAML than these files need, and fails
// the test at everything else.
func yaml(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docker", name))
	if err != nil {
		t.Fatal(err)
	}
	pair := regexp.MustCompile(`^([\w-]+):(?: +(.+))?$`)
	values := map[string]string{}
	type level struct {
		indent int
		path   string
	}
	var above []level
	items := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		if at := strings.Index(" "+line, " #"); at >= 0 {
			line = line[:max(at-1, 0)]
		}
		body := strings.TrimSpace(line)
		if body == "" {
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " "))
		for len(above) > 0 && above[len(above)-1].indent >= indent {
			above = above[:len(above)-1]
		}
		prefix := ""
		if len(above) > 0 {
			prefix = above[len(above)-1].path + "."
		}
		if item, ok := strings.CutPrefix(body, "- "); ok {
			values[prefix+string(rune('0'+items[prefix]))] = strings.Trim(item, `"`)
			items[prefix]++
			continue
		}
		m := pair.FindStringSubmatch(body)
		if m == nil || indent%2 != 0 || strings.Contains(line, "\t") {
			t.Fatalf("%s:%d: not understood: %q", name, i+1, line)
		}
		path := prefix + m[1]
		if _, twice := values[path]; twice {
			t.Fatalf("%s:%d: %s stands there twice", name, i+1, path)
		}
		values[path] = strings.Trim(m[2], `"`)
		above = append(above, level{indent, path})
	}
	return values
}

// want compares some values of a file.
func want(t *testing.T, got map[string]string, values map[string]string) {
	t.Helper()
	for path, value := range values {
		if v, ok := got[path]; !ok || v != value {
			t.Errorf("%s is %q, want %q", path, v, value)
		}
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	c := yaml(t, "docker-compose.yml")
	if !strings.HasPrefix(c["services.broker.image"], "ghcr.io/danube-messaging/danube-broker:") {
		t.Errorf("the broker's image is %q", c["services.broker.image"])
	}
	want(t, c, map[string]string{
		"services.broker.command.0": "--config-file",
		"services.broker.command.1": "/etc/danube_broker.yml",
		"services.broker.command.2": "--advertised-addr",
		"services.broker.command.3": "broker:6650",
		"services.broker.volumes.0": "./danube_broker.yml:/etc/danube_broker.yml:ro",
		"services.broker.volumes.1": "broker-data:/danube-data",
		"volumes.broker-data":       "",

		"services.source.depends_on.sink.condition":      "service_healthy",
		"services.sink.healthcheck.test":                 `[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:9090/readyz"]`,
		"services.sink.environment.SUBSCRIPTION_NAME":    "simple-sink-sub",
		"services.sink.build.args.EXAMPLE":               "simple_sink",
		"services.source.build.args.EXAMPLE":             "simple_source",
		"services.source.environment.CONNECTOR_NAME":     "simple-source",
		"services.sink.environment.CONNECTOR_NAME":       "simple-sink",
		"services.sink.environment.DANUBE_SERVICE_URL":   "http://broker:6650",
		"services.source.environment.DANUBE_SERVICE_URL": "http://broker:6650",
	})
	for _, name := range []string{"sink", "source"} {
		want(t, c, map[string]string{
			"services." + name + ".build.context":            "..",
			"services." + name + ".build.dockerfile":         "docker/Dockerfile",
			"services." + name + ".environment.DANUBE_TOPIC": "/default/test",
			"services." + name + ".stop_grace_period":        "30s", // the drain deadline is 20 s
		})
		dir := filepath.Join(root, "examples", c["services."+name+".build.args.EXAMPLE"])
		if _, err := os.Stat(filepath.Join(dir, "main.go")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBrokerConfig looks for the keys that the broker does not start without, and
// for what the documentation says of it.
func TestBrokerConfig(t *testing.T) {
	t.Parallel()
	c := yaml(t, "danube_broker.yml")
	for _, key := range []string{
		"cluster_name", "broker.host", "broker.ports.client", "broker.ports.admin", "broker.ports.raft",
		"meta_store.data_dir", "bootstrap_namespaces.0", "auth.mode", "policies.max_message_size",
		"storage.mode", "storage.local_wal_root",
	} {
		if c[key] == "" {
			t.Errorf("%s is missing", key)
		}
	}
	want(t, c, map[string]string{
		"broker.ports.client":           "6650",
		"bootstrap_namespaces.0":        "default",
		"auth.mode":                     "none",
		"dispatch.max_unacked_messages": "1000",
	})
	for _, key := range []string{"meta_store.data_dir", "storage.local_wal_root"} {
		if !strings.HasPrefix(c[key], "/danube-data/") {
			t.Errorf("%s is %s, which is not in the volume", key, c[key])
		}
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docker", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)[1]
	for _, line := range []string{
		"FROM golang:" + string(version) + " AS build",
		"USER 65532:65532",          // not root
		`ENTRYPOINT ["/connector"]`, // no shell between the connector and SIGTERM
		"ARG EXAMPLE=simple_sink",   // as the compose file sets it
		"COPY go.mod go.sum ./",     //
		"EXPOSE 9090",               // the default of metrics_port
	} {
		if !strings.Contains("\n"+string(text), "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}
