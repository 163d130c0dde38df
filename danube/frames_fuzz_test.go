package danube_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// frames writes the frames of a script to a stream: kind, flags, and length of each before
// its payload. The highest bit of the kind is for the connection as a whole, and a kind of
// 127 for bytes that are no frame.
func frames(script []byte, stream uint32) (b []byte) {
	for len(script) >= 3 {
		kind, flags, n := script[0], script[1], min(int(script[2]), len(script)-3)
		payload := script[3 : 3+n]
		script = script[3+n:]
		switch {
		case kind == 127:
			b = append(b, payload...)
		case kind&128 != 0:
			b = append(b, frame(kind&127, flags, 0, payload...)...)
		default:
			b = append(b, frame(kind, flags, stream, payload...)...)
		}
	}
	return b
}

func scripted(kind, flags byte, payload ...byte) []byte {
	return append([]byte{kind, flags, byte(len(payload))}, payload...)
}

// headers are a header block, without compression.
func headers(pairs ...string) (b []byte) {
	for i := 0; i < len(pairs); i += 2 {
		b = append(append(b, 0, byte(len(pairs[i]))), pairs[i]...)
		b = append(append(b, byte(len(pairs[i+1]))), pairs[i+1]...)
	}
	return b
}

// frameServer answers, on a port, the requests of each connection with a script.
func frameServer(t *testing.T, first, script []byte) *lab {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go answerRequests(conn, first, script)
		}
	}()
	t.Cleanup(func() { lis.Close(); <-stopped })
	return &lab{T: t, url: "http://" + lis.Addr().String()}
}

func answerRequests(conn net.Conn, first, script []byte) {
	defer conn.Close()
	if _, err := io.CopyN(io.Discard, conn, 24); err != nil { // PRI * HTTP/2.0
		return
	}
	if _, err := conn.Write(first); err != nil {
		return
	}
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		n := int64(binary.BigEndian.Uint32(head[:4]) >> 8)
		if _, err := io.CopyN(io.Discard, conn, n); err != nil {
			return
		}
		if head[3] == 1 { // a request begins
			if _, err := conn.Write(frames(script, binary.BigEndian.Uint32(head[5:]))); err != nil {
				return
			}
		}
	}
}

// Whatever a server makes of HTTP/2: every call ends in its time, in memory that is not of
// the server's choosing, with an error of ours if any, and nothing is left.
func FuzzFrames(f *testing.F) {
	settings, ok := frame(4, 0, 0), headers(":status", "200", "content-type", "application/grpc")
	join := func(list ...[]byte) []byte { return bytes.Join(list, nil) }
	answer := scripted(1, 4, ok...)
	done := scripted(1, 5, headers("grpc-status", "0")...)
	empty := scripted(0, 0, 0, 0, 0, 0, 0)
	for _, script := range [][]byte{
		nil,
		join(answer, empty, done),
		join(answer, done),               // no message
		join(answer, empty, empty, done), // two
		join(answer, scripted(0, 0, 0, 0xff, 0xff, 0xff, 0xff)),    // 4 GiB
		join(answer, scripted(0, 0, 0, 3, 0xff, 0xff, 0xff), done), // 64 MiB that do not come
		join(answer, scripted(0, 0, 1, 0, 0, 0, 1, 'x'), done),     // compressed by nothing
		join(answer, scripted(0, 0, 2, 0, 0, 0, 0), done),
		join(answer, scripted(0, 8, 200, 0, 0), done), // padded by more than there is
		join(empty, answer, done),                     // a message before its headers
		join(done, answer, empty),                     // the end first
		join(answer, done, empty, done),               // more behind the end
		scripted(1, 5, headers(":status", "200", "content-type", "application/grpc", "grpc-status", "-1")...),
		scripted(1, 5, headers(":status", "200", "content-type", "application/grpc", "grpc-status", "99999999999999999999")...),
		scripted(1, 5, headers(":status", "200", "content-type", "application/grpc", "grpc-status", "5", "grpc-message", "%ff%zz%", "grpc-status-details-bin", "!")...),
		scripted(1, 5, headers(":status", "999")...),
		scripted(1, 5, headers("grpc-status", "0")...),
		scripted(1, 5, headers(":status", "200", "content-type", "text/html")...),
		join(scripted(1, 4, headers(":status", "100")...), scripted(1, 4, headers(":status", "103")...), answer, empty, done),
		scripted(1, 0, ok...), // headers that go on, and do not
		join(scripted(1, 0, ok...), scripted(9, 0, 0xff), scripted(128|6, 0, 1, 2, 3, 4, 5, 6, 7, 8)),
		scripted(9, 4, ok...),
		scripted(5, 4, 0, 0, 0, 2), // a promise
		scripted(3, 0, 0, 0, 0, 7),
		scripted(3, 0, 0xff, 0xff, 0xff, 0xff),
		scripted(3, 0),
		scripted(8, 0, 0, 0, 0, 0),
		join(scripted(8, 0, 0x7f, 0xff, 0xff, 0xff), scripted(8, 0, 0x7f, 0xff, 0xff, 0xff)),
		scripted(128|7, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0),
		scripted(128|7, 0, 0, 0, 0, 0, 0, 0, 0, 11),
		scripted(128|4, 0, 0, 3, 0, 0, 0, 0),             // no streams at all
		scripted(128|4, 0, 0, 5, 0, 0, 0, 0),             // frames of nothing
		scripted(128|4, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), // an enormous table
		scripted(128|4, 0, 0, 4, 0xff, 0xff, 0xff, 0xff),
		scripted(128|4, 1, 0, 0),
		scripted(128|6, 0, 1),
		scripted(127, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1),
		scripted(0x4d, 0xff, 'x'), // of a kind that there is not
	} {
		f.Add(settings, script)
	}
	f.Add([]byte{}, join(answer, empty, done))
	f.Add(append(settings, 0xff), []byte{})
	f.Fuzz(func(t *testing.T, first, script []byte) {
		checkLeaks(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l := frameServer(t, first, script)
		client := l.open(func(c *danube.Config) { c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })
		start, patience := time.Now(), 30*time.Millisecond
		for what, try := range map[string]func(context.Context) error{
			"producer": func(ctx context.Context) error {
				p, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: "/default/t", Name: "p"})
				if err == nil {
					_, err = p.Send(ctx, &danube.Outgoing{Payload: []byte("m")})
				}
				return err
			},
			"consumer": func(ctx context.Context) error {
				c, err := client.NewConsumer(ctx, danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c"})
				if err == nil {
					_, err = c.Receive(ctx)
				}
				return err
			},
			"ping": client.Ping,
		} {
			if err := try(l.within(patience)); err != nil && !strings.Contains(err.Error(), "danube: ") && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", what, err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = client.Close(ctx) // what was not sent is an error
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("it took %v", d)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 256<<20 {
			t.Errorf("it took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
		}
	})
}
