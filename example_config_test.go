package connect_test

import (
	"fmt"
	"log/slog"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// A configuration made in code, without a file or the environment.
func ExampleDefaultConfig() {
	c := connect.DefaultConfig()
	c.ConnectorName = "orders-to-db"
	c.SourceTopic = "/default/orders"
	c.SubscriptionName = "db"
	c.BatchTimeout = 200 * time.Millisecond
	c.MaxRetries = new(5)
	c.LogLevel = slog.LevelWarn
	fmt.Println(c.Validate(connect.RoleSink))

	c.SourceTopic = "orders"
	c.BatchSize = 0
	fmt.Println(c.Validate(connect.RoleSink))
	// Output:
	// <nil>
	// configuration: 2 problems:
	//   source_topic = "orders" (code): expected /namespace/name, each of letters, digits, _ and -
	//   batch_size = "0" (code): expected at least 1
}

// A connector's own settings beside the SDK's, from the same file and the
// environment. The two functions stand for the file system and the process's
// environment, which are the default.
func ExampleLoadConfig() {
	file := `
connector_name = "orders-to-db"
source_topic = "/default/orders"
subscription_name = "db"

[db]
url = "postgres://db/orders"
`
	environment := map[string]string{"BATCH_SIZE": "500", "DB_PASSWORD": "hunter2"}

	settings := struct {
		URL      string         `toml:"url" env:"DB_URL,required"`
		Password connect.Secret `toml:"password" env:"DB_PASSWORD"`
		Timeout  time.Duration  `toml:"timeout" env:"DB_TIMEOUT"`
	}{Timeout: 5 * time.Second}

	c, err := connect.LoadConfig(connect.LoadOptions{
		File:     "connector.toml",
		ReadFile: func(string) ([]byte, error) { return []byte(file), nil },
		LookupEnv: func(name string) (string, bool) {
			v, ok := environment[name]
			return v, ok
		},
		Role:     connect.RoleSink,
		Settings: []connect.Settings{{Table: "db", Dst: &settings}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.ConnectorName, c.BatchSize)
	fmt.Printf("%+v\n", settings)

	environment["BATCH_SIZE"] = "500k"
	file += "timout = \"1s\"\n"
	_, err = connect.LoadConfig(connect.LoadOptions{
		File:      "connector.toml",
		ReadFile:  func(string) ([]byte, error) { return []byte(file), nil },
		LookupEnv: func(name string) (string, bool) { v, ok := environment[name]; return v, ok },
		Settings:  []connect.Settings{{Table: "db", Dst: &settings}},
	})
	fmt.Println(err)
	// Output:
	// orders-to-db 500
	// {URL:postgres://db/orders Password:*** Timeout:5s}
	// configuration: 2 problems:
	//   batch_size = "500k" (environment variable BATCH_SIZE): expected a whole number
	//   db.timout (connector.toml:8): unknown key; did you mean "timeout"?
}
