package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// program runs the command broker as a process, with its control, until the test ends.
func program(t *testing.T, args ...string) (addr string, c *client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute) // the cleanup ends it
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"broker", "-addr", "127.0.0.1:0", "-control", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c = &client{t: t}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
		cancel()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		c.said += lines.Text() + "\n"
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
		if m := regexp.MustCompile(`control at (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			c.url = m[1]
			go io.Copy(io.Discard, stderr)
			return addr, c
		}
	}
	t.Fatal("it has no control")
	return "", nil
}

// client talks to a control.
type client struct {
	t    *testing.T
	url  string
	said string // by the program, until it had a control
}

// try sends a request and returns the status and the body of the answer.
func (c *client) try(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

// do is try for what has to work.
func (c *client) do(method, path, body string) string {
	c.t.Helper()
	code, text := c.try(method, path, body)
	if code != http.StatusOK {
		c.t.Fatalf("%s %s %s: %d %s", method, path, body, code, text)
	}
	return text
}

// connect opens a connection to the broker itself.
func connect(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestControl(t *testing.T) {
	addr, c := program(t, "-topic", "/default/a", "-no-trap", "Reset,leak", "-trap", "Prefix")
	ctx := t.Context()
	conn := connect(t, addr)
	consumers, producers := pb.NewConsumerServiceClient(conn), pb.NewProducerServiceClient(conn)

	c.do("POST", "/topics", `{"name": "/default/b", "partitions": 2}`)
	c.do("POST", "/subscriptions", `{"topic": "/default/a", "subscription": "s", "from": "earliest"}`)
	if got := c.do("POST", "/publish", `{"topic": "/default/a", "payload": "hello", "key": "k", "attributes": {"x": "y"}, "count": 2}`); got !=
		`{"messages":[{"topic":"/default/a","offset":0},{"topic":"/default/a","offset":1}]}` {
		t.Errorf("publish: %s", got)
	}
	sub, err := consumers.Subscribe(ctx, &pb.ConsumerRequest{TopicName: "/default/a", ConsumerName: "c", Subscription: "s"})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := consumers.ReceiveMessages(ctx, &pb.ReceiveRequest{ConsumerId: sub.GetConsumerId()})
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	ack := func(id *pb.MsgID) error {
		_, err := consumers.Ack(ctx, &pb.AckRequest{MsgId: id, SubscriptionName: "s"})
		return err
	}
	if err := ack(m.GetMsgId()); err != nil {
		t.Fatal(err)
	}
	c.do("GET", "/wait/acked?topic=/default/a&subscription=s", "")
	if err := ack(nil); status.Code(err) != codes.InvalidArgument { // the trap is off
		t.Errorf("ack without msg_id: %v", err)
	}

	var list struct {
		Messages []message `json:"messages"`
	}
	if err := json.Unmarshal([]byte(c.do("GET", "/messages?topic=/default/a", "")), &list); err != nil {
		t.Fatal(err)
	}
	first := list.Messages[0]
	if len(list.Messages) != 2 || string(first.Payload) != "hello" || first.Key != "k" || first.Attributes["x"] != "y" || first.Deliveries[0].Outcome != "acked" {
		t.Errorf("messages: %+v", list)
	}
	if got := c.do("GET", "/subscription?topic=/default/a&subscription=s", ""); !strings.Contains(got, `"acked":1`) || !strings.Contains(got, `"in_flight":1`) {
		t.Errorf("subscription: %s", got)
	}
	if got := c.do("GET", "/dump", ""); !strings.Contains(got, "topic /default/a, Reliable, 2 published") {
		t.Errorf("dump: %s", got)
	}

	// A fault that is waited for while it has not fired yet.
	if got := c.do("POST", "/fault", `{"methods": ["SendMessage"], "code": "RESOURCE_EXHAUSTED", "message": "not now", "after_apply": true, "count": 2}`); got != `{"id":1}` {
		t.Errorf("fault: %s", got)
	}
	waited := make(chan string)
	go func() { waited <- c.do("GET", "/fault/1/wait?n=2", "") }()
	p, err := producers.CreateProducer(ctx, &pb.ProducerRequest{TopicName: "/default/a", ProducerName: "p", DispatchStrategy: pb.DispatchStrategy_Reliable})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := producers.SendMessage(ctx, &pb.StreamMessage{MsgId: &pb.MsgID{TopicName: "/default/a", ProducerId: p.GetProducerId()}})
		if status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != "not now" {
			t.Errorf("send: %v", err)
		}
	}
	if got := <-waited; got != `{"hits":2}` {
		t.Errorf("wait: %s", got)
	}
	if got := c.do("DELETE", "/fault/1", ""); got != `{"hits":2}` {
		t.Errorf("delete: %s", got)
	}

	c.do("POST", "/restart", "")
	for err = nil; err == nil; {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	c.do("POST", "/kill", `{"broker": 1}`)
	if code, text := c.try("POST", "/kill", `{"broker": 2}`); code != http.StatusConflict || !strings.Contains(text, "there is no broker 2") {
		t.Errorf("kill: %d %s", code, text)
	}
	c.do("POST", "/start", "")
	if p := partitions(t, addr, "/default/b"); p != "/default/b-part-0 /default/b-part-1" {
		t.Errorf("partitions: %s", p)
	}
}

func TestControlCluster(t *testing.T) {
	_, c := program(t, "-brokers", "2", "-topic", "/default/a")
	c.do("POST", "/move", `{"topic": "/default/a", "broker": 2}`)
	if code, text := c.try("POST", "/move", `{"topic": "/default/a"}`); code != http.StatusConflict || !strings.Contains(text, "is moving") {
		t.Errorf("move: %d %s", code, text)
	}
}

func TestControlErrors(t *testing.T) {
	_, c := program(t)
	for _, tc := range []struct {
		method, path, body string
		code               int
		contains           string
	}{
		{"GET", "/nonsense", "", 404, "not found"},
		{"GET", "/publish", "", 405, "Method Not Allowed"},
		{"POST", "/publish", "{", 400, "body: unexpected EOF"},
		{"POST", "/publish", `{"topick": "a"}`, 400, `unknown field \"topick\"`},
		{"POST", "/publish", `{} {}`, 400, "more than one value"},
		{"POST", "/publish", `{"topic": "/default/a"}]`, 400, "more than one value"},
		{"POST", "/publish", `{"topic": "/default/a", "payload": "` + strings.Repeat("x", 300) + `", "count": 1000000}`, 400, "bytes together"},
		{"POST", "/topics", `{"name": "/default/a", "partitions": 2000000000}`, 409, "want 0 to 16384"},
		{"POST", "/restart", `{"broker": 1}`, 400, `unknown field \"broker\"`},
		{"POST", "/kill", `{"broker": -1}`, 409, "there is no broker -1"},
		{"POST", "/subscriptions", `{"topic": "/default/a"}`, 400, "subscription is missing"},
		{"GET", "/wait/acked?timeout=%&topic=/default/a&subscription=s", "", 400, "parameters: invalid"},
		{"POST", "/fault", `{"duplicate": 2000000000}`, 400, "more than 10000"},
		{"POST", "/publish", `{"topic": "a"}`, 409, `topic \"a\": want /namespace/name`},
		{"POST", "/publish", `{"topic": "/default/a", "payload_base64": "!"}`, 400, "payload_base64: illegal"},
		{"POST", "/publish", `{"topic": "/default/a", "payload_base64": "YQ==", "payload": "a"}`, 400, "exclude each other"},
		{"POST", "/publish", `{"topic": "/default/a", "count": -1}`, 400, "count -1"},
		{"POST", "/topics", `{"name": "/default/a", "dispatch": "x"}`, 400, "want Reliable or NonReliable"},
		{"POST", "/subscriptions", `{"topic": "/default/a", "subscription": "s", "from": "x"}`, 400, "want latest or earliest"},
		{"POST", "/start", "", 409, "broker 1 is running"},
		{"POST", "/move", `{"topic": "/default/x", "broker": 1}`, 409, `there is no topic`},
		{"GET", "/messages", "", 400, "parameter topic is missing"},
		{"GET", "/subscription?topic=/default/a&subscription=s", "", 400, "there is no subscription"},
		{"GET", "/wait/acked?topic=/default/a&subscription=s&n=x", "", 400, `n \"x\"`},
		{"GET", "/wait/acked?topic=/default/a&subscription=s&timeout=x", "", 400, `timeout \"x\"`},
		{"GET", "/wait/acked?topic=/default/a&subscription=s&timeout=1ms", "", 504, "waiting for 1 acked in subscription s"},
		{"GET", "/fault/7", "", 404, "no such fault"},
		{"DELETE", "/fault/x", "", 400, "want the number"},
		{"POST", "/fault", `{"methods": ["Nonsense"]}`, 400, "want one of CreateProducer, SendMessage"},
		{"POST", "/fault", `{"code": "NONSENSE"}`, 400, "want the name of a gRPC status"},
		{"POST", "/fault", `{"code": "OK"}`, 400, "want the name of a gRPC status"},
		{"POST", "/fault", `{"message": "x"}`, 400, "message is for a code"},
		{"POST", "/fault", `{"delay": "x"}`, 400, "want a duration"},
		{"POST", "/fault", `{"end_stream": "x"}`, 400, "want one of EOF, Unavailable, Internal, Reset"},
		{"POST", "/fault", `{"corrupt_base64": "!"}`, 400, "corrupt_base64: illegal"},
		{"POST", "/fault", `{"dead": true, "cut": true}`, 400, "exclude each other"},
	} {
		if code, text := c.try(tc.method, tc.path, tc.body); code != tc.code || !strings.Contains(text, tc.contains) {
			t.Errorf("%s %s %s: %d %s, want %d with %q", tc.method, tc.path, tc.body, code, text, tc.code, tc.contains)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", c.url+"/dump", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("another host: %d", resp.StatusCode)
	}
}

func TestControlFlags(t *testing.T) {
	for args, contains := range map[string]string{
		"-control nowhere":                   "missing port",
		"-control 0.0.0.0:0":                 "-control-public",
		"-control :0":                        "-control-public",
		"-control example.com:1":             "-control-public",
		"-trap Nonsense":                     "want one of Unflushed",
		"-no-trap Reset,Nonsense":            "want one of Unflushed",
		"-control 127.0.0.1:0 -addr nowhere": "missing port",
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"broker"}, strings.Fields(args)...), io.Discard, &stderr); code == exitOK || !strings.Contains(stderr.String(), contains) {
			t.Errorf("%s: exit %d, %q", args, code, stderr.String())
		}
	}
}
