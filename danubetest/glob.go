package danubetest

// glob reports whether a pattern of bytes, * and ? matches all of text: * stands for any
// bytes or none, ? for one, everything else for itself; there are no classes and nothing
// is escaped. Patterns come from clients, so what it costs is bounded by the product of
// the two lengths: only the last * has to be tried again, because whatever an earlier one
// takes more leaves less for those behind it.
func glob(pattern, text string) bool {
	p, i := 0, 0
	star, from := -1, 0 // where the last * is, and how far it reaches
	for i < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[i]):
			p, i = p+1, i+1
		case star >= 0: // it takes one byte more
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
