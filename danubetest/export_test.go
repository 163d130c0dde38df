package danubetest

// Wakes returns how often the loop has run anything.
func Wakes(b *Broker) (n uint64) {
	b.do(func(c *core) { n = c.wakes })
	return n
}

// KeyHash and Glob are what KeyShared goes by.
var (
	KeyHash = keyHash
	Glob    = glob
)

// PolicyDelay is how long a message waits.
var PolicyDelay = FailurePolicy.delay
