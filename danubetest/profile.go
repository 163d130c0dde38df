package danubetest

import (
	"fmt"
	"strings"
)

// trapTable says what the traps are called and which profiles have them.
var trapTable = [traps]struct {
	name        string
	sound, real bool
}{
	TrapUnflushed:      {"Unflushed", false, true},
	TrapLatest:         {"Latest", false, true},
	TrapCursor:         {"Cursor", false, true},
	TrapParked:         {"Parked", false, true},
	TrapTail:           {"Tail", false, true},
	TrapLag:            {"Lag", false, true},
	TrapRenumber:       {"Renumber", false, true},
	TrapNoStream:       {"NoStream", false, true},
	TrapAckWaits:       {"AckWaits", false, true},
	TrapStale:          {"Stale", false, true},
	TrapSilentMove:     {"SilentMove", false, true},
	TrapPrefix:         {"Prefix", false, true},
	TrapBurst:          {"Burst", false, true},
	TrapKeyPace:        {"KeyPace", false, true},
	TrapKeyGone:        {"KeyGone", false, true},
	TrapKeySkip:        {"KeySkip", false, true},
	TrapKeyBeat:        {"KeyBeat", false, true},
	TrapKeyParked:      {"KeyParked", false, true},
	TrapKeyDrain:       {"KeyDrain", false, true},
	TrapConcurrent:     {"Concurrent", false, true},
	TrapHole:           {"Hole", false, false},
	TrapLocal:          {"Local", false, false},
	TrapRate:           {"Rate", false, true},
	TrapRecreate:       {"Recreate", false, true},
	TrapFirstSubscribe: {"FirstSubscribe", false, true},
	TrapLateInactive:   {"LateInactive", false, false},
	TrapOneName:        {"OneName", true, true},
	TrapNoFailover:     {"NoFailover", true, true},
	TrapLateAck:        {"LateAck", true, true},
	TrapOvertake:       {"Overtake", true, true},
	TrapBurn:           {"Burn", true, true},
	TrapCleanEnd:       {"CleanEnd", true, true},
	TrapTheft:          {"Theft", true, true},
	TrapReset:          {"Reset", true, true},
	TrapOversize:       {"Oversize", true, true},
	TrapDeadOwner:      {"DeadOwner", true, true},
	TrapPolicy:         {"Policy", true, true},
	TrapDeadLetter:     {"DeadLetter", true, true},
	TrapNamespace:      {"Namespace", true, true},
	TrapLeak:           {"Leak", true, true},
	TrapGrants:         {"Grants", true, true},
	TrapNoName:         {"NoName", true, true},
	TrapListing:        {"Listing", true, true},
	TrapBlock:          {"Block", true, true},
	TrapOrphan:         {"Orphan", false, true},
}

// Traps returns all traps.
func Traps() (list []Trap) {
	for t := Trap(1); int(t) < traps; t++ {
		list = append(list, t)
	}
	return list
}

// ParseTrap returns the trap of that name, see [Trap.String]. Upper and lower case do not
// matter.
func ParseTrap(name string) (Trap, error) {
	var names []string
	for _, t := range Traps() {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
		names = append(names, t.String())
	}
	return 0, fmt.Errorf("trap %q: want one of %s", name, strings.Join(names, ", "))
}

// String returns the constant's name without its beginning.
func (t Trap) String() string {
	if t < 1 || int(t) >= traps {
		return "unknown"
	}
	return trapTable[t].name
}

// Profile is a choice of traps.
type Profile int

const (
	// Sound loses nothing of a reliable topic. It is the default. It has the traps by which
	// the real broker only refuses, repeats or reorders: clients have to know those
	// everywhere.
	Sound Profile = iota
	// Real has the traps that a real broker has always, or always when the circumstances are
	// the same: all but [TrapLocal], which is a matter of its configuration, and [TrapHole]
	// and [TrapLateInactive], which are races that it seldom loses. It creates topics as [WithClusterCreate] does. A
	// client that survives here has a chance with a real broker.
	Real
)

// Traps returns the traps of a profile.
func (p Profile) Traps() (list []Trap) {
	for _, t := range Traps() {
		if p.has(t) {
			list = append(list, t)
		}
	}
	return list
}

func (p Profile) has(t Trap) bool {
	return p == Sound && trapTable[t].sound || p == Real && trapTable[t].real
}

// WithProfile chooses the traps, in place of those chosen before.
func WithProfile(p Profile) Option {
	return func(c *config) error {
		if p != Sound && p != Real {
			return fmt.Errorf("profile: %d: want Sound or Real", p)
		}
		c.setProfile(p)
		c.clusterCreate = c.clusterCreate || p == Real
		return nil
	}
}

func (c *config) setProfile(p Profile) {
	for _, t := range Traps() {
		c.traps[t] = p.has(t)
	}
}

// WithTraps switches traps on.
func WithTraps(list ...Trap) Option { return setTraps(list, true) }

// WithoutTraps switches traps off.
func WithoutTraps(list ...Trap) Option { return setTraps(list, false) }

func setTraps(list []Trap, on bool) Option {
	return func(c *config) error {
		for _, t := range list {
			if t < 1 || int(t) >= traps {
				return fmt.Errorf("trap: %d is unknown", t)
			}
			c.traps[t] = on
		}
		return nil
	}
}

// trap reports whether a trap is on.
func (c *core) trap(t Trap) bool { return c.cfg.traps[t] }
