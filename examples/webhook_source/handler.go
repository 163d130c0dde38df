package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	connect "github.com/danube-messaging/danube-connect-go"
)

// retryAfter is when to try again, in seconds.
const retryAfter = "1"

// ServeHTTP publishes the body of a request and answers when the broker has it.
func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !tokenOK(w.settings.Token, r) {
		rw.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(rw, "the token is missing or wrong", http.StatusUnauthorized)
		return
	}
	select {
	case w.inFlight <- struct{}{}: // a body is held from here on
		defer func() { <-w.inFlight }()
	default:
		unavailable(rw, "too many requests are under way")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, w.settings.MaxBody))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			http.Error(rw, fmt.Sprintf("the body has more than %d bytes", w.settings.MaxBody), http.StatusRequestEntityTooLarge)
		} else {
			http.Error(rw, "the body did not come as a whole", http.StatusBadRequest)
		}
		return
	}
	if !signatureOK(w.settings.HMACSecret, r.Header.Values(w.settings.HMACHeader), body) {
		http.Error(rw, "the signature is missing or wrong", http.StatusUnauthorized)
		return
	}
	emitter := w.emitter.Load()
	if emitter == nil {
		unavailable(rw, "not ready")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), w.settings.Timeout)
	defer cancel()
	receipt, err := emitter.Emit(ctx, w.settings.record(r, body))
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, "{\"topic\":%q,\"attempts\":%d}\n", receipt.Topic, receipt.Attempts)
	case errors.Is(err, connect.ErrOutcomeUnknown):
		unavailable(rw, "the broker has not answered: the record may have been published")
	case errors.Is(err, connect.ErrNotEmitted):
		unavailable(rw, "the broker takes no more at the moment: the record was not published")
	case connect.IsInvalidData(err):
		http.Error(rw, "the record cannot be published", http.StatusUnprocessableEntity)
	default:
		unavailable(rw, "the record was not published")
	}
	if err != nil {
		w.log.Warn("a request was not published", "path", r.URL.EscapedPath(), "error", err)
	}
}

func unavailable(rw http.ResponseWriter, why string) {
	rw.Header().Set("Retry-After", retryAfter)
	http.Error(rw, why, http.StatusServiceUnavailable)
}

// record makes the record of a request. What a stranger sends must not make it one that
// no broker takes, which would end the connector: attributes and key are text.
func (s *settings) record(r *http.Request, body []byte) *connect.SourceRecord {
	rec := connect.NewRecord("", body).WithAttribute("path", r.URL.EscapedPath())
	for _, name := range append([]string{"Content-Type"}, s.Headers...) {
		if values := r.Header.Values(name); len(values) > 0 {
			rec.WithAttribute(strings.ToLower(name), text(strings.Join(values, ", ")))
		}
	}
	if s.KeyHeader != "" {
		rec.WithKey(text(r.Header.Get(s.KeyHeader)))
	}
	return rec
}

func text(s string) string { return strings.ToValidUTF8(s, "�") }
