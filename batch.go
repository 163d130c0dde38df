package connect

import (
	"errors"
	"fmt"
	"sync"
)

var (
	// ErrNotInBatch: Fail was called with a record that is not in the batch.
	ErrNotInBatch = errors.New("the record is not in this batch")
	// ErrBatchClosed: Fail was called after ProcessBatch had returned, when the
	// record's fate was already decided.
	ErrBatchClosed = errors.New("the batch is closed")
)

// Batch is what [BatchSinkConnector.ProcessBatch] gets: records of one partition of
// one topic, in order, at least one. It is safe for concurrent use.
type Batch struct {
	records []*SinkRecord

	mu     sync.Mutex
	failed map[*SinkRecord]error
	closed bool
}

func newBatch(records []*SinkRecord) *Batch { return &Batch{records: records} }

// NewTestBatch returns a batch for a connector's unit tests; all records should be
// of one topic and partition, as the runtime's are.
func NewTestBatch(records ...*SinkRecord) *Batch { return newBatch(records) }

// Records returns the records. The slice is valid until ProcessBatch returns; the
// records are immutable and may be kept.
func (b *Batch) Records() []*SinkRecord { return b.records }

// Len returns the number of records.
func (b *Batch) Len() int { return len(b.records) }

// Topic returns the topic that all records come from.
func (b *Batch) Topic() string { return b.records[0].Topic() }

// Partition returns the partition that all records come from.
func (b *Batch) Partition() int32 { return b.records[0].Partition() }

// Fail says that one record of the batch was not written, and why; the others are
// not touched by it. A nil err counts as an unspecified retryable one. It fails
// with ErrNotInBatch and ErrBatchClosed; the last call for a record counts.
func (b *Batch) Fail(r *SinkRecord, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("fail %v: %w", r, ErrBatchClosed)
	}
	found := false
	if b.failed == nil {
		b.failed = make(map[*SinkRecord]error)
	} else {
		_, found = b.failed[r]
	}
	for i := 0; !found && i < len(b.records); i++ {
		found = b.records[i] == r
	}
	if !found || r == nil {
		return fmt.Errorf("fail %v: %w", r, ErrNotInBatch)
	}
	if err == nil {
		err = Retryablef("Fail was called without an error")
	}
	b.failed[r] = err
	return nil
}

// close ends the batch and returns the records that failed by name.
func (b *Batch) close() map[*SinkRecord]error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.failed
}

// Failed returns what Fail was called with for a record, nil when it was not; for
// tests of connectors.
func (b *Batch) Failed(r *SinkRecord) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed[r]
}
