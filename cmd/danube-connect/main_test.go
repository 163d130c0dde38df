package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// asProgram makes the test binary be the program.
const asProgram = "DANUBE_CONNECT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args     string
		code     int
		stdout   bool // where the text is
		contains string
	}{
		{"", exitUsage, false, "Usage: danube-connect COMMAND"},
		{"help", exitOK, true, "broker     run an embedded broker"},
		{"-h", exitOK, true, "Usage: danube-connect COMMAND"},
		{"brocker", exitUsage, false, `there is no command "brocker"`},
		{"broker -h", exitOK, false, "-max-unacked"},
		{"broker --nonsense", exitUsage, false, "flag provided but not defined"},
		{"broker more", exitUsage, false, `unexpected argument "more"`},
		{"broker --topic a", exitUsage, false, "want /namespace/topic"},
		{"broker --topic /default/a:x", exitUsage, false, `partitions "x"`},
		{"broker --topic /default/a.b", exitError, false, "letters, digits"},
		{"broker --profile wrong", exitUsage, false, "want sound or real"},
		{"broker --brokers 0", exitUsage, false, `invalid value "0" for flag -brokers: want a number, 1 to 100`},
		{"broker --max-unacked 0", exitUsage, false, `invalid value "0" for flag -max-unacked: want a number, 1 to 10000`},
		{"broker --addr nowhere", exitError, false, "missing port"},
		{"compare -h", exitOK, false, "-reasons"},
		{"compare --nonsense", exitUsage, false, "flag provided but not defined"},
		{"compare more", exitUsage, false, `unexpected argument "more"`},
		{"compare -run (", exitUsage, false, "-run: "},
		{"compare -run no-such", exitUsage, false, "no such scenario"},
		{"compare -parallel 0", exitUsage, false, "want 1 or more"},
		{"compare -list -run ^takeover$", exitOK, true, "takeover                           one node"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(tc.args), &stdout, &stderr)
		text, other := stderr.String(), stdout.String()
		if tc.stdout {
			text, other = other, text
		}
		if code != tc.code || !strings.Contains(text, tc.contains) || other != "" {
			t.Errorf("%q: exit %d, want %d; stdout %q; stderr %q", tc.args, code, tc.code, stdout.String(), stderr.String())
		}
	}
}

var listening = regexp.MustCompile(`listening on https?://([^\s,]+)`)

// address reads what a broker says until it says where it listens.
func address(t *testing.T, r io.Reader) (addr, said string) {
	t.Helper()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, r)
			return m[1], said
		}
	}
	t.Fatalf("it does not listen: %q", said)
	return "", ""
}

// partitions asks a broker what is behind a topic's name.
func partitions(t *testing.T, addr, topic string) string {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r, err := pb.NewDiscoveryClient(conn).TopicPartitions(t.Context(), &pb.TopicLookupRequest{Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(r.GetPartitions(), " ")
}

func TestBroker(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int)
	go func() {
		code := run(ctx, strings.Fields("broker --addr 127.0.0.1:0 --topic /default/a --topic /mine/b:2 --max-unacked 100"), io.Discard, w)
		w.Close()
		done <- code
	}()
	addr, said := address(t, r)
	if !strings.Contains(said, "for development") || !strings.Contains(said, "in memory") {
		t.Errorf("it does not say what it is: %q", said)
	}
	if p := partitions(t, addr, "/default/a"); p != "/default/a" {
		t.Errorf("partitions: %s", p)
	}
	if p := partitions(t, addr, "/mine/b"); p != "/mine/b-part-0 /mine/b-part-1" {
		t.Errorf("partitions: %s", p)
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"broker", "--addr", addr}, io.Discard, &stderr); code != exitError || !strings.Contains(stderr.String(), "in use") {
		t.Errorf("a second one: exit %d, %q", code, stderr.String())
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit %d", code)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func TestCluster(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int)
	go func() {
		code := run(ctx, strings.Fields("broker --addr 127.0.0.1:0 --brokers 2 --profile real --topic /default/a-b"), io.Discard, w)
		w.Close()
		done <- code
	}()
	in := bufio.NewReader(r)
	in.ReadString('\n') // what it is
	said, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, r)
	urls := regexp.MustCompile(`http://([^ ,]+)`).FindAllStringSubmatch(said, -1)
	if len(urls) != 2 {
		t.Fatalf("it says %q", said)
	}
	for _, u := range urls {
		if p := partitions(t, u[1], "/default/a"); p != "/default/a-b" {
			t.Errorf("partitions: %q", p)
		}
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit %d", code)
	}
}

func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals on windows")
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "broker", "--addr", "127.0.0.1:0")
		cmd.Env = append(os.Environ(), asProgram+"=1")
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		address(t, stderr)
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", sig, err)
		}
	}
}
