package danube

import (
	"strings"
	"time"
)

// How long one message is repeated although the broker refuses it.
const (
	// A schema that was registered a moment ago is not known to all brokers at once.
	unknownSchemaPatience = 2 * time.Second
	// What nobody has seen yet may pass; what does not would hold up its partition for
	// ever and never be told.
	unknownRefusalPatience = time.Minute
)

// judgeRefusal reads why a broker did not publish a message: the texts of 0.15.1, all
// of which come as PERMISSION_DENIED. What quotes a message or a topic is told by its
// beginning, since what it quotes may be anything.
func judgeRefusal(why string) verdict {
	begins := func(with ...string) bool {
		for _, w := range with {
			if strings.HasPrefix(why, w) {
				return true
			}
		}
		return false
	}
	has := func(part string) bool { return strings.Contains(why, part) }
	refused := verdict{class: classMessage, reason: ErrSchema}
	switch {
	case begins("Schema ID ") && has("not found"), begins("Schema version not found") && has("not found for subject"):
		return verdict{class: classTransient, reason: ErrSchema, patience: unknownSchemaPatience, after: classMessage}
	case begins("Schema version not found"): // its metadata store
		return verdict{class: classTransient}
	case begins("Schema ", "Message missing schema_id", "Payload validation", "Failed to create validator"):
		return refused
	case begins("Topic ") && has(" requires schema "):
		return refused
	case has("draining or closed"), has("not found in registry"), has("not attached to topic"):
		return verdict{class: classSession}
	case begins("I/O error", "WAL error", "Cloud storage error", "Metadata store error"), has("write buffer"), has("wal writer"), has("serialize"):
		return verdict{class: classTransient, ambiguous: true} // its storage
	case has("chema"), has("alidation"):
		return refused
	}
	return verdict{class: classTransient, ambiguous: true, patience: unknownRefusalPatience, after: classFatal}
}

// doubt tells how long one message has been refused with a verdict that may change. What
// comes in between, such as an outage, begins it anew.
type doubt struct {
	what  verdict
	since time.Time
}

// class is that of the verdict, or what it has become.
func (d *doubt) class(v verdict) class {
	switch {
	case v.patience == 0 || v != d.what:
		*d = doubt{v, time.Now()}
	case time.Since(d.since) >= v.patience:
		return v.after
	}
	return v.class
}
