// Package e2e tests the codecs with a runtime and a broker that checks payloads. It is
// a module of its own, so that the codecs do not need the SDK, nor the SDK the codecs.
package e2e
