package connect

import (
	"context"
	"fmt"

	"github.com/danube-messaging/danube-connect-go/internal/checkpoint"
)

// CheckpointStore keeps a source's committed offsets over restarts. The runtime
// calls it from one goroutine at a time.
type CheckpointStore interface {
	// Load returns the newest offset of each source partition, none at the first start.
	Load(ctx context.Context) ([]Offset, error)
	// Save stores the newest offsets of some source partitions, at most one of each;
	// those of the others stay. nil means that they survive a crash. A retryable error
	// is tried again as one of Commit is; then, or with any other, the runtime ends.
	Save(ctx context.Context, newest []Offset) error
	// Close is called once, at the end.
	Close() error
}

// FileCheckpoints returns a store in one file, which each save replaces as a whole
// and on disk: after a crash it holds the save before or this one. One process at a
// time may have it open. A damaged file, or one of another connector, is an error.
// It is what checkpoint_file configures.
func FileCheckpoints(path, connector string) (CheckpointStore, error) {
	f, err := checkpoint.Open(path, connector)
	if err != nil {
		return nil, InvalidConfig(err)
	}
	return fileCheckpoints{f}, nil
}

type fileCheckpoints struct{ *checkpoint.File }

func (c fileCheckpoints) Load(ctx context.Context) ([]Offset, error) {
	entries, err := c.File.Load(ctx)
	offsets := make([]Offset, len(entries))
	for i, e := range entries {
		offsets[i] = Offset(e)
	}
	return offsets, err
}

func (c fileCheckpoints) Save(ctx context.Context, newest []Offset) error {
	entries := make([]checkpoint.Entry, len(newest))
	for i, o := range newest {
		entries[i] = checkpoint.Entry(o)
	}
	return c.File.Save(ctx, entries)
}

// checkpointProblems checks the two ways to configure a store against each other.
func checkpointProblems(source bool, given CheckpointStore, c Config) ConfigErrors {
	switch {
	case given == nil:
		return nil
	case !source:
		return ConfigErrors{{Key: "WithCheckpoints", Source: "code", Problem: "only a source has checkpoints: a sink's position is its subscription"}}
	case c.CheckpointFile != "":
		return ConfigErrors{{Key: "checkpoint_file", Value: c.CheckpointFile, Source: c.source("checkpoint_file"),
			Problem: "WithCheckpoints gives a store in code already", Hint: "use one of them"}}
	}
	return nil
}

// openCheckpoints opens the configured store and gives the connector what is in it.
func (rt *SourceRuntime) openCheckpoints(ctx context.Context) (err error) {
	if path := rt.cfg.CheckpointFile; path != "" {
		if rt.store, err = FileCheckpoints(path, rt.cfg.ConnectorName); err != nil {
			return err
		}
	}
	resumer, wanted := capability[Resumer](rt.connector)
	switch {
	case rt.store == nil && !wanted:
		return nil
	case rt.store == nil:
		rt.log.Warn("no checkpoint_file is configured: the source starts from its beginning at each start")
	case !wanted:
		rt.log.Warn("checkpoints are kept, but the connector has no Resume to make use of them")
	}
	var offsets []Offset
	if rt.store != nil {
		var found []Offset
		what := "Load"
		err := rt.guard(what, func() (err error) {
			rt.committing.Store(&what)
			defer rt.committing.Store(nil)
			found, err = rt.store.Load(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("load checkpoints: %w", asFatal(err))
		}
		offsets = found // not touched by a Load that was left behind
	}
	if !wanted {
		return nil
	}
	rt.log.Info("resuming", "offsets", len(offsets))
	if err := rt.guard("Resume", func() error { return resumer.Resume(ctx, offsets) }); err != nil {
		return fmt.Errorf("resume: %w", asFatal(err))
	}
	return nil
}

// closeCheckpoints ends the store at the end of a run. Where the loop that saves has not
// ended, a Save may hold what Close needs.
func (rt *SourceRuntime) closeCheckpoints(ctx context.Context, ended bool) error {
	if rt.store == nil || !ended || rt.committing.Load() != nil {
		return nil
	}
	what := "the checkpoint store's Close"
	rt.committing.Store(&what)
	var err error
	if !rt.returns(ctx, noticeTime, func() {
		err = rt.protect(what, rt.store.Close)
		rt.committing.Store(nil)
	}) {
		rt.log.Error("a call into the connector has not returned and is left behind", "call", what)
		return nil // unsettled names it
	}
	if err != nil {
		return fmt.Errorf("close checkpoints: %w", err)
	}
	return nil
}

// newest returns the last offset of each source partition.
func newest(offsets []Offset) []Offset {
	place := make(map[string]int)
	var last []Offset
	for _, o := range offsets {
		i, seen := place[o.Partition]
		if !seen {
			place[o.Partition] = len(last)
			last = append(last, o)
			continue
		}
		last[i] = o
	}
	return last
}
