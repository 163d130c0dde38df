package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"time"
)

// roleEnv makes this program be one of its own helpers.
const roleEnv = "DANUBE_BENCHMARK_ROLE"

// roles are the helpers: they read commands from in and answer on out, line by
// line, and end when in ends, which is when the benchmark is gone, however it went.
var roles = map[string]func(in io.Reader, out io.Writer) error{
	"broker":    serveBroker,
	"publisher": servePublisher,
	"idler":     serveIdler,
}

// runRole runs the helper that the environment asks for, if it does.
func runRole() {
	name := os.Getenv(roleEnv)
	if name == "" {
		return
	}
	serve, ok := roles[name]
	if !ok {
		log.Fatalf("%s=%s: no such role", roleEnv, name)
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		log.Fatalf("benchmark %s: %v", name, err)
	}
	os.Exit(0)
}

// child is a helper process. Brokers and publishers have one of their own, so that
// what this process uses is what a client uses.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

func startChild(role string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	return &child{role: role, cmd: cmd, in: in, out: bufio.NewScanner(out)}, nil
}

// tell sends one command.
func (c *child) tell(command any) error {
	data, err := json.Marshal(command)
	if err != nil {
		return err
	}
	_, err = c.in.Write(append(data, '\n'))
	return err
}

// ask sends one command and waits for its answer.
func (c *child) ask(command, answer any) error {
	if err := c.tell(command); err != nil {
		return fmt.Errorf("%s process: %w", c.role, err)
	}
	return c.listen(answer)
}

// listen waits for the next answer; one with an error is that error.
func (c *child) listen(answer any) error {
	if !c.out.Scan() {
		return fmt.Errorf("%s process: it is gone: %w", c.role, errors.Join(c.out.Err(), io.ErrUnexpectedEOF))
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(c.out.Bytes(), &failed); err != nil {
		return fmt.Errorf("%s process said %q: %w", c.role, c.out.Text(), err)
	}
	if failed.Error != "" {
		return fmt.Errorf("%s process: %s", c.role, failed.Error)
	}
	return json.Unmarshal(c.out.Bytes(), answer)
}

// stop ends the process by closing its input, and by force when that does not do.
func (c *child) stop() error {
	_ = c.in.Close()
	kill := time.AfterFunc(5*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	for c.out.Scan() { // or it could not finish what it writes
	}
	return c.cmd.Wait()
}

// answer writes one answer of a helper.
func answer(out io.Writer, v any, err error) error {
	if err != nil {
		v = struct{ Error string }{err.Error()}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = out.Write(append(data, '\n'))
	return err
}
