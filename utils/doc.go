// Package utils holds what connectors need again and again: a batcher, a health
// checker, and JSON and text conversion. It works without a runtime and depends on
// the standard library only.
//
// A sink seldom needs the [Batcher]: the runtime batches for a batch sink, inside
// the broker's window and with the acknowledgements right. It is for sources, and
// for what a connector collects on its own.
package utils
