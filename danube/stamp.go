package danube

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// stamper writes the attributes of messages: the sender's, and the client's own. It
// belongs to a lane, which has one message on its way at a time.
type stamper struct {
	on     bool
	salt   string // of the epoch
	prefix string // producer and epoch of the stamps
	epoch  uint64
	stamp  []byte
}

// newStamper returns the stamper of a lane. Its salt keeps the stamps of two runs apart
// that start in the same second.
func newStamper(on bool) stamper { return stamper{on: on, salt: fmt.Sprintf("-%06x", rand.N(1<<24))} }

// append appends what to send for message number request of a producer, as the wire has
// it. The client's own take the place of the sender's of the same names, which are those
// of a message that is handed on.
func (s *stamper) append(b []byte, m *Outgoing, producer string, request uint64) []byte {
	own := s.on || m.Origin != ""
	for k, v := range m.Attributes {
		if own && (k == AttrSource || k == AttrStamp && s.on) {
			continue
		}
		b = appendAttribute(b, k, v)
	}
	if m.Origin != "" {
		b = appendAttribute(b, AttrSource, m.Origin)
	}
	if s.on {
		if epoch := request >> 32; s.prefix == "" || epoch != s.epoch {
			s.epoch = epoch
			s.prefix = producer + "/" + strconv.FormatUint(epoch, 10) + s.salt + "/"
		}
		s.stamp = strconv.AppendUint(append(s.stamp[:0], s.prefix...), request&(1<<32-1), 10)
		b = appendAttribute(b, AttrStamp, s.stamp)
	}
	return b
}
