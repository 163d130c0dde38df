package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// profiles are files to write what the client process does to, for go tool pprof.
// Together with -loops they show one loop alone.
type profiles struct{ cpu, mem string }

// start begins to profile; stop writes the files.
func (p profiles) start() (stop func() error, err error) {
	var cpu *os.File
	if p.mem != "" {
		runtime.MemProfileRate = 4096 // often enough for a run of seconds
	}
	if p.cpu != "" {
		if cpu, err = os.Create(p.cpu); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(err, cpu.Close())
		}
	}
	return func() error {
		var errs []error
		if cpu != nil {
			pprof.StopCPUProfile()
			errs = append(errs, cpu.Close())
		}
		if p.mem != "" {
			errs = append(errs, writeAllocs(p.mem))
		}
		return errors.Join(errs...)
	}, nil
}

func writeAllocs(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.Lookup("allocs").WriteTo(f, 0); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return f.Close()
}
