package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// runBroker is the command broker: an embedded broker until ctx ends.
func runBroker(ctx context.Context, args []string, _, stderr io.Writer) int {
	flags, err := brokerFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "danube-connect broker: %v; -h lists the flags\n", err)
		return exitUsage
	}
	if err := flags.serve(ctx, stderr); err != nil {
		fmt.Fprintf(stderr, "danube-connect broker: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stderr, "danube-connect broker: stopped")
	return exitOK
}

// serve runs the broker and says where everything is.
func (f *flags) serve(ctx context.Context, stderr io.Writer) error {
	var lis net.Listener
	if f.control != "" {
		var err error
		if lis, err = listenControl(f.control, f.public); err != nil {
			return err
		}
		defer lis.Close()
	}
	b, err := danubetest.New(f.opts...)
	if err != nil {
		return err
	}
	defer b.Close()
	if f.certOut != "" {
		if err := os.WriteFile(f.certOut, b.CertificatePEM(), 0o644); err != nil {
			return fmt.Errorf("-tls-self-signed: %w", err)
		}
	}
	topics := "on demand"
	if !f.auto {
		topics = "by hand only"
	}
	fmt.Fprintln(stderr, "danube-connect broker: an embedded broker for development. It keeps everything in memory: when it stops, all of it is gone.")
	fmt.Fprintf(stderr, "danube-connect broker: listening on %s, topics are created %s, Ctrl-C stops it\n", strings.Join(b.URLs(), " "), topics)
	if urls := b.MetricsURLs(); len(urls) > 0 {
		fmt.Fprintf(stderr, "danube-connect broker: metrics at %s\n", strings.Join(urls, " "))
	}
	if lis != nil {
		fmt.Fprintf(stderr, "danube-connect broker: control at http://%s\n", lis.Addr())
		c := &control{b: b, public: f.public, faults: make(map[int]*danubetest.FaultHandle)}
		c.serve(ctx, lis)
	}
	<-ctx.Done()
	return nil
}
