package danube

import (
	"strconv"
)

// stamper gives messages their attributes: the sender's, and the client's own. Its
// map serves all messages of a lane, which has one on its way at a time.
type stamper struct {
	on     bool
	prefix string // producer and epoch of the stamps
	epoch  uint64
	attrs  map[string]string
}

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
	if m.Origin != "" {
		s.attrs[AttrSource] = m.Origin
	}
	if s.on {
		if epoch := request >> 32; s.prefix == "" || epoch != s.epoch {
			s.epoch = epoch
			s.prefix = producer + "/" + strconv.FormatUint(epoch, 10) + "/"
		}
		s.attrs[AttrStamp] = s.prefix + strconv.FormatUint(request&(1<<32-1), 10)
	}
	return s.attrs
}
