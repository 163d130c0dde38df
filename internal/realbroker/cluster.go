// Package realbroker runs real Danube brokers on this machine, for tests that stop,
// kill and move what they talk to. It needs their program: see [Env].
package realbroker

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// Env is the environment variable that names the broker's program.
const Env = "DANUBE_BROKER_BIN"

// Binary returns the program that the environment names.
func Binary() (path string, ok bool) {
	path = os.Getenv(Env)
	return path, path != ""
}

// Cluster is one or three brokers.
type Cluster struct {
	Nodes []*Node
	// CA is the authority of their certificates, as a file has it, with Options.Security.
	CA []byte

	security *Security
}

// Node is one broker. Its methods are not safe for concurrent use.
type Node struct {
	// URL is where clients reach it, Admin its admin service, Metrics its metrics.
	URL, Admin, Metrics string
	// Addr is where it listens for clients: what URL names, unless something is in
	// front of it.
	Addr string

	bin, dir string
	ports    [4]int // client, admin, raft, metrics
	args     []string
	log      *os.File
	cmd      *exec.Cmd
}

// Start starts a cluster and returns when every node has registered itself. What it
// started it stops again when it cannot.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cluster{security: o.Security}
	if err := c.prepare(o); err != nil {
		c.Close()
		return nil, err
	}
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			c.Close()
			return nil, err
		}
	}
	err = c.Ready(ctx)
	if err == nil {
		err = c.grant(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// prepare gives each node its ports and writes its configuration.
func (c *Cluster) prepare(o Options) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	ports, err := freePorts(4 * o.Nodes)
	if err != nil {
		return err
	}
	var seeds []string
	shared := ""
	if o.Nodes > 1 {
		for i := range o.Nodes {
			seeds = append(seeds, local(ports[4*i+2]))
		}
	}
	if o.Nodes > 1 || o.SharedFS {
		shared = filepath.Join(dir, "segments")
	}
	scheme := "http://"
	if o.Security != nil {
		scheme = "https://"
		if err := c.secure(certificates(dir)); err != nil {
			return err
		}
	}
	for i := range o.Nodes {
		n := &Node{bin: o.Binary, dir: filepath.Join(dir, fmt.Sprint("node", i)), ports: [4]int(ports[4*i : 4*i+4])}
		n.Addr = local(n.ports[0])
		advertised := n.Addr
		if o.Advertise != nil {
			if advertised, err = o.Advertise(i, n.Addr); err != nil {
				return err
			}
		}
		n.URL, n.Admin, n.Metrics = scheme+advertised, scheme+local(n.ports[1]), "http://"+local(n.ports[3])+"/metrics"
		n.args = []string{"--config-file", "broker.yml", "--data-dir", "./raft", "--advertised-addr", advertised}
		if o.Nodes > 1 {
			n.args = append(n.args, "--raft-addr", local(n.ports[2]))
		}
		if err := os.MkdirAll(n.dir, 0o755); err != nil {
			return err
		}
		text, err := n.configuration(o, seeds, shared)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.dir, "broker.yml"), text, 0o600); err != nil {
			return err
		}
		if n.log, err = os.OpenFile(filepath.Join(n.dir, "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	return nil
}

// certificates is where a cluster's are.
func certificates(dir string) string { return filepath.Join(dir, "certificates") }

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func freePorts(n int) (ports []int, err error) {
	for range n {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer lis.Close() // all at the end, so that none comes twice
		ports = append(ports, lis.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// URLs are the addresses for clients.
func (c *Cluster) URLs() (urls []string) {
	for _, n := range c.Nodes {
		urls = append(urls, n.URL)
	}
	return urls
}

// Close kills every node.
func (c *Cluster) Close() {
	var wg sync.WaitGroup
	for _, n := range c.Nodes {
		wg.Go(func() {
			n.end(syscall.SIGKILL)
			if n.log != nil {
				n.log.Close()
			}
		})
	}
	wg.Wait()
}

// Start starts a node that is not running.
func (n *Node) Start() error {
	if n.cmd != nil {
		return fmt.Errorf("realbroker: the broker at %s is running", n.Addr)
	}
	cmd := exec.Command(n.bin, n.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, n.log, n.log
	if os.Getenv("RUST_LOG") == "" {
		cmd.Env = append(os.Environ(), "RUST_LOG=warn")
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("realbroker: %w", err)
	}
	n.cmd = cmd
	return nil
}

// Stop ends a node as a supervisor does, with SIGTERM, and waits.
func (n *Node) Stop() { n.end(syscall.SIGTERM) }

// Kill ends a node with SIGKILL.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

// Running tells whether a node was started and not stopped.
func (n *Node) Running() bool { return n.cmd != nil }

// Pid is its process, 0 when it is not running.
func (n *Node) Pid() int {
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

func (n *Node) end(how syscall.Signal) {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(how)
	_ = n.cmd.Wait()
	n.cmd = nil
}

// Log is the end of what the broker wrote, for the report of a failure.
func (n *Node) Log() string {
	text, _ := os.ReadFile(filepath.Join(n.dir, "broker.log"))
	return string(text[max(0, len(text)-4096):])
}
