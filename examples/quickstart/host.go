package main

import (
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// host samples the machine that this runs on, from /proc where there is one, else
// as much as the Go runtime knows.
type host struct {
	what string // says to people what is sampled
	proc bool
	at   time.Time // of the last sample
	net  traffic
	cpu  float64
}

type traffic struct{ in, out uint64 } // bytes

func newHost() *host {
	h := &host{at: time.Now()}
	if _, err := readLoad(); err == nil {
		h.proc, h.what = true, "its load, memory and network"
		h.net = readTraffic()
		return h
	}
	h.what = "as far as the Go runtime sees it"
	h.cpu = readRuntime()[2]
	return h
}

// sample returns one sample as text, its columns aligned.
func (h *host) sample() []byte {
	now := time.Now()
	seconds := now.Sub(h.at).Seconds()
	h.at = now
	if !h.proc {
		v := readRuntime()
		busy := v[2] - h.cpu
		h.cpu = v[2]
		return fmt.Appendf(nil, "cpu %5.2f   memory %6.1f MiB   goroutines %4.0f", busy/seconds, v[0]/(1<<20), v[1])
	}
	load, _ := readLoad()
	used, total := readMemory()
	net := readTraffic()
	in, out := net.in-h.net.in, net.out-h.net.out
	h.net = net
	return fmt.Appendf(nil, "load %5.2f   memory %6d of %d MiB   network %8.1f kB/s in %8.1f kB/s out",
		load, used>>20, total>>20, float64(in)/1e3/seconds, float64(out)/1e3/seconds)
}

// readLoad returns the load of the last minute.
func readLoad() (float64, error) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	return strconv.ParseFloat(first, 64)
}

// readMemory returns the memory in use and all of it, in bytes.
func readMemory() (used, total uint64) {
	b, _ := os.ReadFile("/proc/meminfo") // without it there is nothing to say
	value := map[string]uint64{}
	for row := range strings.Lines(string(b)) {
		if f := strings.Fields(row); len(f) >= 2 {
			kib, _ := strconv.ParseUint(f[1], 10, 64)
			value[f[0]] = kib << 10
		}
	}
	total = value["MemTotal:"]
	return total - min(value["MemAvailable:"], total), total
}

// readTraffic returns what all interfaces but the loopback have carried.
func readTraffic() (t traffic) {
	b, _ := os.ReadFile("/proc/net/dev")
	for row := range strings.Lines(string(b)) {
		name, counts, ok := strings.Cut(row, ":")
		f := strings.Fields(counts)
		if !ok || strings.TrimSpace(name) == "lo" || len(f) < 16 {
			continue
		}
		in, _ := strconv.ParseUint(f[0], 10, 64)
		out, _ := strconv.ParseUint(f[8], 10, 64)
		t.in += in
		t.out += out
	}
	return t
}

// readRuntime returns the process's memory in bytes, its goroutines, and the
// seconds of CPU that it has used.
func readRuntime() (v [3]float64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/cpu/classes/user:cpu-seconds"},
	}
	metrics.Read(samples)
	for i, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			v[i] = float64(s.Value.Uint64())
		case metrics.KindFloat64:
			v[i] = s.Value.Float64()
		}
	}
	return v
}
