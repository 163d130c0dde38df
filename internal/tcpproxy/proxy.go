// Package tcpproxy stands between a client and a server and breaks what is between
// them: connections that are cut, that go dead without a word, that are refused.
package tcpproxy

import (
	"io"
	"net"
	"sync"
)

// Proxy forwards TCP connections to one address. It is safe for concurrent use.
type Proxy struct {
	lis net.Listener
	to  string
	wg  sync.WaitGroup

	mu     sync.Mutex
	pairs  map[*pair]struct{}
	dead   bool // new connections are taken and go nowhere
	closed bool
}

// pair is a client's connection and the one to the server behind it.
type pair struct {
	client, server net.Conn // server is nil where the connection goes nowhere

	mu   sync.Mutex
	dead bool // what comes is thrown away; nobody hears of it
}

// New listens on a port of the loopback interface, and forwards to an address.
func New(to string) (*Proxy, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{lis: lis, to: to, pairs: map[*pair]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.lis.Addr().String() }

// Cut breaks every connection as a server does that is gone: both sides hear of it.
func (p *Proxy) Cut() {
	for _, c := range p.snapshot() {
		c.close()
	}
}

// Freeze makes the connections that there are go dead without a word: they stay open,
// and what either side sends is thrown away. New ones work.
func (p *Proxy) Freeze() {
	for _, c := range p.snapshot() {
		c.freeze()
	}
}

// Blackhole does the same to new connections, for as long as it is on.
func (p *Proxy) Blackhole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = on
}

// Close ends everything and waits for it.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.lis.Close()
	p.Cut()
	p.wg.Wait()
}

func (p *Proxy) snapshot() (list []*pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		list = append(list, c)
	}
	return list
}

func (p *Proxy) accept() {
	for {
		client, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	dead := p.dead
	p.mu.Unlock()
	c := &pair{client: client, dead: dead}
	if !dead {
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			client.Close() // as if the server had refused
			return
		}
		c.server = server
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		c.close()
		return
	}
	p.pairs[c] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.pump(c.client, c.server) })
	if c.server != nil {
		both.Go(func() { c.pump(c.server, c.client) })
	}
	both.Wait()
	c.close()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

// pump moves bytes in one direction until its source ends.
func (c *pair) pump(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !c.isDead() {
			if _, werr := to.Write(buf[:n]); werr != nil && err == nil {
				err = werr
			}
		}
		switch {
		case err == nil:
		case c.isDead(): // the other side does not hear of this end either
			return
		default:
			if err != io.EOF {
				c.close()
			} else if t, ok := to.(*net.TCPConn); ok {
				_ = t.CloseWrite()
			}
			return
		}
	}
}

func (c *pair) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

func (c *pair) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

func (c *pair) close() {
	c.client.Close()
	if c.server != nil {
		c.server.Close()
	}
}
