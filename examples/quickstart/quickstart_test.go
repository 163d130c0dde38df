package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestReadLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine)
	for _, tc := range []struct {
		name, text string
		want       []string
		notes      int
		tooLong    int64
	}{
		{"empty", "", nil, 0, 0},
		{"no final line end", "a\nb", []string{"a", "b"}, 0, 0},
		{"final line end", "a\nb\n", []string{"a", "b"}, 0, 0},
		{"empty lines are records", "\n\nx\n", []string{"", "", "x"}, 0, 0},
		{"bytes stay as they are", "a\r\n\x00\xff\n", []string{"a\r", "\x00\xff"}, 0, 0},
		{"longer than a buffer", long + "\n" + long, []string{long, long}, 0, 0},
		{"too long in the middle", "a\n" + long + "x\nb\n", []string{"a", "b"}, 1, 1},
		{"too long at the end", "a\n" + long + "x", []string{"a"}, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			notes := 0
			in := &input{lines: make(chan []byte), meter: newMeter(), note: func(string, ...any) { notes++ }}
			go in.readLines(bufio.NewReader(strings.NewReader(tc.text)))
			var got []string
			for text := range in.lines {
				got = append(got, string(text))
			}
			if !slices.Equal(got, tc.want) || in.err != io.EOF {
				t.Errorf("got %d lines, error %v; want %d lines", len(got), in.err, len(tc.want))
			}
			if in.meter.tooLong != tc.tooLong || notes != tc.notes {
				t.Errorf("%d too long, %d notes; want %d, %d", in.meter.tooLong, notes, tc.tooLong, tc.notes)
			}
		})
	}
}

func TestReadLinesError(t *testing.T) {
	t.Parallel()
	in := &input{lines: make(chan []byte), meter: newMeter()}
	go in.readLines(bufio.NewReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrUnexpectedEOF))))
	var got []string
	for text := range in.lines {
		got = append(got, string(text))
	}
	if fmt.Sprint(got) != "[a b]" || in.err == nil || !strings.Contains(in.err.Error(), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("got %q, error %v", got, in.err)
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	m := newMeter()
	for range 5 {
		if _, err := m.depart(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	for _, seq := range []int64{1, 3, 3, 2, 2, 1} {
		m.arrived(seq)
	}
	if s := m.summary(); s.in != 5 || s.out != 3 || s.lost != 2 || s.duplicated != 3 || s.good() {
		t.Errorf("got %+v", s)
	}
	m.arrived(5)
	m.arrived(4)
	if s := m.summary(); s.lost != 0 || s.duplicated != 3 || !s.good() || s.rate <= 0 {
		t.Errorf("got %+v", s)
	}
	if m.bytes != 0 || len(m.missing) != 0 {
		t.Errorf("%d bytes under way, %d missing", m.bytes, len(m.missing))
	}
	m.refused()
	if m.summary().good() {
		t.Error("a refused line is good")
	}
}

func TestMeterMakesTheSourceWait(t *testing.T) {
	t.Parallel()
	m := newMeter()
	for range maxUnderWay {
		if _, err := m.depart(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.depart(ctx, 0); err == nil {
		t.Fatal("there was room")
	}
	left := make(chan int64)
	go func() {
		seq, _ := m.depart(t.Context(), maxBytesUnderWay)
		left <- seq
	}()
	m.arrived(1)
	if seq := <-left; seq != maxUnderWay+1 {
		t.Errorf("seq %d", seq)
	}
	if _, err := m.depart(ctx, 1); err == nil {
		t.Error("there was room for more bytes")
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	for d := time.Duration(1); d < time.Hour; d = d*5/4 + 1 {
		var h histogram
		h.add(d)
		if got := h.quantile(.99); got < d-d/30-1 || got > d+d/30+1 {
			t.Errorf("%v comes back as %v", d, got)
		}
	}
	var h histogram
	h.add(-time.Second)
	h.add(1<<63 - 1)
	for i := range 1000 {
		h.add(time.Duration(i) * time.Millisecond)
	}
	if got := h.quantile(.5); got < 480*time.Millisecond || got > 520*time.Millisecond {
		t.Errorf("median %v", got)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                  "plain",
		"größe €":                "größe €",
		"a\tb":                   "a b",
		"\x1b[2J\xff":            `\u001b[2J\xff`,
		strings.Repeat("é", 101): strings.Repeat("é", 100) + "...",
	} {
		if got := printable([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: got %q", n, got)
		}
	}
}

func TestHostSamples(t *testing.T) {
	t.Parallel()
	h := newHost()
	if s := string(h.sample()); !strings.Contains(s, "memory") {
		t.Errorf("got %q", s)
	}
	if s := string((&host{}).sample()); !strings.Contains(s, "goroutines") {
		t.Errorf("without /proc: got %q", s)
	}
}
