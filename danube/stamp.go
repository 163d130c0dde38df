package danube

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// stamper gives messages their attributes: the sender's, and the client's own. Its
// map serves all messages of a lane, which has one on its way at a time.
type stamper struct {
	on     bool
	salt   string // of the epoch
	prefix string // producer and epoch of the stamps
	epoch  uint64
	attrs  map[string]string
}

// newStamper returns the stamper of a lane. Its salt keeps the stamps of two runs apart
// that start in the same second.
func newStamper(on bool) stamper { return stamper{on: on, salt: fmt.Sprintf("-%06x", rand.N(1<<24))} }

// attributes returns what to send for message number request of a producer.
func (s *stamper) attributes(m *Outgoing, producer string, request uint64) map[string]string {
	if !s.on && m.Origin == "" {
		return m.Attributes
	}
	if s.attrs == nil {
		s.attrs = make(map[string]string)
	}
	clear(s.attrs)
	for k, v := range m.Attributes {
		s.attrs[k] = v
	}
	delete(s.attrs, AttrSource) // of a message that is handed on
	if m.Origin != "" {
		s.attrs[AttrSource] = m.Origin
	}
	if s.on {
		if epoch := request >> 32; s.prefix == "" || epoch != s.epoch {
			s.epoch = epoch
			s.prefix = producer + "/" + strconv.FormatUint(epoch, 10) + s.salt + "/"
		}
		s.attrs[AttrStamp] = s.prefix + strconv.FormatUint(request&(1<<32-1), 10)
	}
	return s.attrs
}
