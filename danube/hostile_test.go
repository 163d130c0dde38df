package danube_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// frame is one frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))[1:]
	b = append(b, kind, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// rawServer answers every connection with bytes of a test's own, after what the client
// says first.
func rawServer(t *testing.T, answer []byte, hangUp bool) *lab {
	lis := bufconn.Listen(4 << 10)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				hello := make([]byte, 24) // PRI * HTTP/2.0
				if _, err := io.ReadFull(conn, hello); err != nil {
					return
				}
				if _, err := conn.Write(answer); err != nil || hangUp {
					return
				}
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	t.Cleanup(func() { lis.Close(); <-stopped })
	return &lab{T: t, url: "http://a:1", dial: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) })}}
}

// opening tries what a client can, all at once, and returns how it failed.
func opening(l *lab, d time.Duration) map[string]error {
	client := l.open()
	errs := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for what, try := range map[string]func(context.Context) error{
		"producer": func(ctx context.Context) error {
			_, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: "/default/t", Name: "p"})
			return err
		},
		"consumer": func(ctx context.Context) error {
			_, err := client.NewConsumer(ctx, danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c"})
			return err
		},
		"schema": func(ctx context.Context) error {
			_, err := client.Schemas().Latest(ctx, "s")
			return err
		},
		"ping": client.Ping,
	} {
		wg.Go(func() {
			err := try(l.within(d))
			mu.Lock()
			defer mu.Unlock()
			errs[what] = err
			l.Logf("%s: %v", what, err)
		})
	}
	wg.Wait()
	return errs
}

// Whoever listens there, and whatever it sends: an error in time, and nothing is left.
// In real time: gRPC itself connects again at once to a server that hangs up after its
// settings, for as long as a call lasts, so that in a bubble no time passes.
func TestServersThatAreNotBrokers(t *testing.T) {
	settings := frame(4, 0, 0)
	garbage := make([]byte, 4096)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(garbage)
	for name, tt := range map[string]struct {
		answer []byte
		hangUp bool
	}{
		"silence":                      {nil, false},
		"hanging up":                   {nil, true},
		"garbage":                      {garbage, false},
		"HTTP/1":                       {[]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>"), true},
		"SSH":                          {[]byte("SSH-2.0-OpenSSH_9.9\r\n"), false},
		"settings and hanging up":      {settings, true},
		"settings and garbage":         {append(settings, garbage...), false},
		"settings of an absurd value":  {frame(4, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff), false},
		"an enormous frame":            {append(settings, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1), false},
		"data before a request":        {append(settings, frame(0, 0, 1, 'x')...), false},
		"headers that do not decode":   {append(settings, frame(1, 4, 1, 0xff, 0xff, 0xff, 0xff, 0xff)...), false},
		"data on the connection":       {append(settings, frame(0, 0, 0, 'x')...), false},
		"a response without a request": {append(settings, frame(1, 5, 99, 0x88)...), false},
		"goaway":                       {append(settings, frame(7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11)...), false},
		"a window that overflows":      {append(settings, frame(8, 0, 0, 0x7f, 0xff, 0xff, 0xff)...), false},
	} {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			for what, err := range opening(rawServer(t, tt.answer, tt.hangUp), 300*time.Millisecond) {
				if err == nil || !strings.Contains(err.Error(), "danube: ") {
					t.Errorf("%s has no error of ours", what)
				}
			}
		})
	}
}

// rawBytes is a codec that sends bytes as they are.
type rawBytes struct{}

func (rawBytes) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawBytes) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}
func (rawBytes) Name() string { return "proto" }

// rawBroker is a gRPC server that answers every method with bytes of a test's own.
func rawBroker(t *testing.T, answer func(method string, s grpc.ServerStream) error) *lab {
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.ForceServerCodec(rawBytes{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		var req []byte
		if err := s.RecvMsg(&req); err != nil {
			return err
		}
		method, _ := grpc.MethodFromServerStream(s)
		return answer(method[strings.LastIndex(method, "/")+1:], s)
	}))
	go srv.Serve(lis)
	t.Cleanup(srv.Stop)
	return &lab{T: t, url: "http://a:1", dial: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) })}}
}

// Answers that are no messages of the protocol, or none at all, or too many.
func TestAnswersThatAreNoMessages(t *testing.T) {
	for name, answer := range map[string]func(string, grpc.ServerStream) error{
		"nothing":          func(string, grpc.ServerStream) error { return nil },
		"a broken message": func(_ string, s grpc.ServerStream) error { return s.SendMsg([]byte{0xff, 0xff, 0xff}) },
		"text that is none": func(_ string, s grpc.ServerStream) error {
			return s.SendMsg([]byte("\x12\x02\xff\xfe\x2a\x02\xff\xfe\x32\x02\xff\xfe"))
		},
		"a length too large": func(_ string, s grpc.ServerStream) error {
			return s.SendMsg([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x7f})
		},
		"an enormous answer": func(_ string, s grpc.ServerStream) error { return s.SendMsg(make([]byte, 65<<20)) },
		"two": func(_ string, s grpc.ServerStream) error {
			return errors.Join(s.SendMsg([]byte{}), s.SendMsg([]byte{}))
		},
		"a panic": func(string, grpc.ServerStream) error { return fmt.Errorf("worker panicked at %s", "src/main.rs") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for what, err := range opening(rawBroker(t, answer), 20*time.Second) {
					if err == nil || !strings.Contains(err.Error(), "danube: ") {
						t.Errorf("%s has no error of ours", what)
					}
				}
			})
		})
	}
}

// field is a field of protobuf: text for a string, a number for a varint.
func field(number int, v any) []byte {
	switch v := v.(type) {
	case string:
		b := binary.AppendUvarint(nil, uint64(number)<<3|2)
		return append(binary.AppendUvarint(b, uint64(len(v))), v...)
	case uint64:
		return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number)<<3), v)
	}
	panic("field")
}

// A broker that knows the protocol and answers at random: whatever comes, no panic, no
// goroutine left, and Close returns.
func TestAnswersAtRandom(t *testing.T) {
	sent, received := 0, 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := make(chan *rand.Rand, 1) // whoever answers has it
				answers <- rand.New(rand.NewPCG(seed, 7))
				message := func(rnd *rand.Rand) []byte {
					number := func() uint64 {
						return []uint64{0, 1, 2, 3, 1 << 31, 1 << 32, 1<<63 - 1, 1 << 63, ^uint64(0)}[rnd.IntN(9)]
					}
					id := string(append(append(field(1, number()), field(2, "/default/t")...), field(5, number())...))
					b := append(field(1, number()), field(4, number())...)
					for _, f := range [][]byte{field(2, id), field(3, strings.Repeat("x", rnd.IntN(1000))), field(5, "p"), field(7, "\x0a\x01a\x12\x01b"), field(8, number()), field(10, "key")} {
						if rnd.IntN(5) > 0 {
							b = append(b, f...)
						}
					}
					if rnd.IntN(40) == 0 {
						b = b[:rnd.IntN(len(b))]
					}
					return b
				}
				l := rawBroker(t, func(method string, s grpc.ServerStream) error {
					rnd := <-answers
					odd, list := rnd.IntN(12) == 0, [][]byte{}
					if method == "ReceiveMessages" {
						for range rnd.IntN(60) {
							list = append(list, message(rnd))
						}
					}
					answers <- rnd
					if odd {
						return errors.New("no")
					}
					switch method {
					case "TopicLookup":
						return s.SendMsg(append(field(4, uint64(1)), append(field(5, "http://a:1"), field(6, "junk\x00")...)...))
					case "TopicPartitions":
						return s.SendMsg(append(field(2, "/default/t"), field(2, "/default/t-part-99")...))
					case "ReceiveMessages":
						for _, m := range list {
							if err := s.SendMsg(m); err != nil {
								return err
							}
						}
						select {
						case <-s.Context().Done():
						case <-time.After(5 * time.Second):
						}
						return nil
					case "HealthCheck":
						return s.SendMsg(field(1, uint64(seed%3))) // 2 means nothing
					}
					return s.SendMsg(field(2, uint64(1<<63)))
				})
				client := l.open()
				ctx := l.within(5 * time.Minute)
				p, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: "/default/t", Name: "p"})
				l.must(err)
				con, err := client.NewConsumer(ctx, danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c", Type: danube.SubscriptionType(seed % 4)})
				l.must(err)
				for range 20 {
					_, err := p.Send(l.within(20*time.Second), &danube.Outgoing{Payload: []byte("m")})
					if err == nil {
						sent++
					}
					for range 20 {
						m, err := con.Receive(l.within(time.Second))
						if err != nil {
							break
						}
						received++
						if _ = m.ID(); m.Offset%3 == 0 {
							_ = con.Nack(l.within(time.Second), m, -time.Hour, "no")
						} else {
							_ = con.Ack(m)
						}
					}
				}
			})
		})
	}
	t.Logf("%d sent, %d received", sent, received)
	if sent == 0 || received == 0 {
		t.Error("nothing got through: the test shows nothing")
	}
}
