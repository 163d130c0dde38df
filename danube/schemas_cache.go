package danube

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	cachedSchemas     = 4096
	cachedSchemaBytes = 16 << 20
	latestFor         = 30 * time.Second // how long the latest version of a subject is believed
	missingFor        = 5 * time.Second  // and that there is no such schema
)

// schemaKey is what a schema is asked for by: an id, or a subject for its latest
// version.
type schemaKey struct {
	id      SchemaID
	subject string
}

// schemaEntry is what is known of a key: a schema, or that there is none.
type schemaEntry struct {
	key   schemaKey
	info  SchemaInfo
	err   error
	until time.Time // zero for ever
}

func (e *schemaEntry) size() int {
	n := 256 + len(e.info.Subject) + len(e.info.Definition) + len(e.info.Description) + len(e.info.CreatedBy) + len(e.info.Fingerprint)
	for _, t := range e.info.Tags {
		n += len(t) + 16
	}
	return n
}

// schemaCache keeps what was used last, bounded in number and bytes, and makes
// callers that want the same wait for one of them.
type schemaCache struct {
	mu      sync.Mutex
	entries map[schemaKey]*list.Element
	order   list.List // of *schemaEntry, used last in front
	bytes   int
	changes int // counts calls of forget
	flights map[schemaKey]chan struct{}
}

// do returns what is cached under key, or else calls fetch, once for all callers
// that wait for the same. With fresh, what is cached does not count. The entries of
// fetch are kept; the first one is the answer.
func (c *schemaCache) do(ctx context.Context, key schemaKey, fresh bool, fetch func() ([]*schemaEntry, error)) (SchemaInfo, error) {
	for {
		c.mu.Lock()
		if e := c.get(key); e != nil && !fresh {
			c.mu.Unlock()
			return e.answer()
		}
		flight := c.flights[key]
		if flight == nil {
			return c.fly(key, fetch)
		}
		c.mu.Unlock()
		select {
		case <-flight:
			// What came of it is in the cache, unless it failed: then it is our turn, for
			// the failure may be that caller's own.
		case <-ctx.Done():
			return SchemaInfo{}, context.Cause(ctx)
		}
	}
}

// fly calls fetch while others wait. It is called with the lock, and releases it.
func (c *schemaCache) fly(key schemaKey, fetch func() ([]*schemaEntry, error)) (SchemaInfo, error) {
	flight := make(chan struct{})
	if c.flights == nil {
		c.flights = make(map[schemaKey]chan struct{})
	}
	c.flights[key] = flight
	changes := c.changes
	c.mu.Unlock()

	var entries []*schemaEntry
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if changes == c.changes { // or else the answer may be from before the change
			for _, e := range entries {
				c.put(e)
			}
		}
		delete(c.flights, key)
		close(flight)
	}()
	entries, err := fetch()
	if err != nil {
		return SchemaInfo{}, err
	}
	return entries[0].answer()
}

// answer is what callers get: tags are theirs, everything else cannot be changed.
func (e *schemaEntry) answer() (SchemaInfo, error) {
	info := e.info
	info.Tags = slices.Clone(info.Tags)
	return info, e.err
}

// get is the entry of a key, if it is still good. With the lock.
func (c *schemaCache) get(key schemaKey) *schemaEntry {
	el := c.entries[key]
	if el == nil {
		return nil
	}
	e := el.Value.(*schemaEntry)
	if !e.until.IsZero() && !time.Now().Before(e.until) {
		c.drop(el)
		return nil
	}
	c.order.MoveToFront(el)
	return e
}

// put keeps an entry. With the lock.
func (c *schemaCache) put(e *schemaEntry) {
	if el := c.entries[e.key]; el != nil {
		c.drop(el)
	}
	if e.size() > cachedSchemaBytes {
		return
	}
	if c.entries == nil {
		c.entries = make(map[schemaKey]*list.Element)
	}
	c.entries[e.key] = c.order.PushFront(e)
	c.bytes += e.size()
	for c.order.Len() > cachedSchemas || c.bytes > cachedSchemaBytes {
		c.drop(c.order.Back())
	}
}

// forget drops what is known of a subject's latest version, of missing schemas, and,
// if it is not 0, of one version of the subject.
func (c *schemaCache) forget(subject string, version uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for el := c.order.Front(); el != nil; {
		e, next := el.Value.(*schemaEntry), el.Next()
		if e.err != nil || e.key.subject == subject || e.info.Subject == subject && e.info.ID.Version == version {
			c.drop(el)
		}
		el = next
	}
}

// drop removes an entry. With the lock.
func (c *schemaCache) drop(el *list.Element) {
	e := c.order.Remove(el).(*schemaEntry)
	delete(c.entries, e.key)
	c.bytes -= e.size()
}
