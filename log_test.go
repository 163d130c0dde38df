package connect

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// logBook keeps what is logged, also by what outlives a test.
type logBook struct {
	start time.Time
	attrs []slog.Attr
	book  *logBook // where lines go; nil in the first

	mu    sync.Mutex
	lines []string
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithGroup(string) slog.Handler            { return b }

func (b *logBook) root() *logBook {
	if b.book != nil {
		return b.book
	}
	return b
}

func (b *logBook) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logBook{start: b.start, attrs: append(slices.Clone(b.attrs), attrs...), book: b.root()}
}

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := fmt.Sprintf("%8v %v %s", r.Time.Sub(b.start).Round(time.Millisecond), r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		a.Value = a.Value.Resolve()
		line += " " + a.String()
		return true
	})
	root := b.root()
	root.mu.Lock()
	defer root.mu.Unlock()
	root.lines = append(root.lines, line)
	return nil
}

func (b *logBook) text() string {
	return strings.Join(b.all(), "\n")
}

func (b *logBook) all() []string {
	root := b.root()
	root.mu.Lock()
	defer root.mu.Unlock()
	return slices.Clone(root.lines)
}

// count says how many entries have all the parts.
func (b *logBook) count(parts ...string) int {
	n := 0
	for _, line := range b.all() {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}
