package connect

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// origins numbers the records that share an offset, so that each has a name of its
// own, which is the same after a replay.
type origins struct {
	mu     sync.Mutex
	last   map[string]origin // by source partition
	before map[string]origin // of those that were not used since last was begun
}

type origin struct {
	value string
	index int
}

// next returns the number of the next record with an offset.
func (o *origins) next(offset Offset) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = make(map[string]origin)
	}
	now := origin{value: offset.Value}
	before, ok := o.last[offset.Partition]
	if !ok {
		before, ok = o.before[offset.Partition]
	}
	if ok && before.value == offset.Value {
		now.index = before.index + 1
	}
	o.last[offset.Partition] = now
	return now.index
}

// maxOrigins is how many source partitions are remembered in any case, those that were
// used last.
const maxOrigins = 4096

// forget lets go of the others: a source whose partitions are files has new ones for ever.
// It is called between two polls, since records that share an offset may be anywhere in
// one.
func (o *origins) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.last) > maxOrigins {
		o.last, o.before = nil, o.last
	}
}

// back takes a number back: its record was not accepted, and when it is emitted again
// it is the same one. Where another record has a number already, a hole stays: no two
// may have the same.
func (o *origins) back(offset Offset, index int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last[offset.Partition] == (origin{offset.Value, index}) {
		o.last[offset.Partition] = origin{offset.Value, index - 1}
	}
}

// originName is the value of x-connect-source. Different offsets have different names.
func originName(connector string, o Offset, index int) string {
	return connector + "/" + plain(o.Partition, "%@") + "@" + plain(o.Value, "%") + "#" + strconv.Itoa(index)
}

// plain replaces the bytes in special, and those that are no text, by %XX.
func plain(s, special string) string {
	if !strings.ContainsAny(s, special) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || strings.ContainsRune(special, r) {
			fmt.Fprintf(&b, "%%%02X", s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
