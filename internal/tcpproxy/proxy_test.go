package tcpproxy_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/tcpproxy"
)

// echo is a server that sends back what comes.
func echo(t *testing.T) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	go func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return lis.Addr().String()
}

func dial(t *testing.T, p *tcpproxy.Proxy) net.Conn {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// answers reports whether a word comes back; an error is the connection's end.
func answers(c net.Conn, wait time.Duration) (bool, error) {
	if _, err := c.Write([]byte("hello")); err != nil {
		return false, err
	}
	_ = c.SetReadDeadline(time.Now().Add(wait))
	_, err := io.ReadFull(c, make([]byte, 5))
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return false, nil
	}
	return err == nil, err
}

func TestProxy(t *testing.T) {
	p, err := tcpproxy.New(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)

	first := dial(t, p)
	if ok, err := answers(first, time.Minute); !ok {
		t.Fatal("no answer through the proxy:", err)
	}
	p.Freeze()
	if ok, err := answers(first, 50*time.Millisecond); ok || err != nil {
		t.Errorf("a frozen connection: answer %t, error %v; want neither", ok, err)
	}
	second := dial(t, p)
	if ok, err := answers(second, time.Minute); !ok {
		t.Error("no answer on a connection made after the freeze:", err)
	}
	p.Cut()
	if ok, err := answers(second, time.Minute); ok || err == nil {
		t.Errorf("a cut connection: answer %t, error %v; want an error", ok, err)
	}
	p.Blackhole(true)
	if ok, err := answers(dial(t, p), 50*time.Millisecond); ok || err != nil {
		t.Errorf("a connection into the hole: answer %t, error %v; want neither", ok, err)
	}
	p.Blackhole(false)
	if ok, err := answers(dial(t, p), time.Minute); !ok {
		t.Error("no answer once the hole is closed:", err)
	}
}

func TestServerThatRefuses(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lis.Close()
	p, err := tcpproxy.New(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if ok, err := answers(dial(t, p), time.Minute); ok || err == nil {
		t.Errorf("answer %t, error %v; want an error", ok, err)
	}
}
