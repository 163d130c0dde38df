package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Whatever control is asked: an answer in time, JSON that says what is wrong, nothing done
// by half of a body, and a broker that still works.
func FuzzControl(f *testing.F) {
	for _, requests := range []string{
		"POST /topics {\"name\": \"/default/b\", \"partitions\": 3}\nPOST /publish {\"topic\": \"/default/b\", \"payload\": \"x\", \"count\": 3}\nGET /messages?topic=/default/b",
		"POST /subscriptions {\"topic\": \"/default/a\", \"subscription\": \"s\", \"from\": \"earliest\"}\nGET /subscription?topic=/default/a&subscription=s\nGET /wait/acked?topic=/default/a&subscription=s&n=0&timeout=0s",
		"POST /fault {\"methods\": [\"SendMessage\"], \"code\": \"unavailable\", \"count\": -1}\nGET /fault/1\nGET /fault/1/wait?n=1&timeout=1ms\nDELETE /fault/1",
		"POST /move {\"topic\": \"/default/a\", \"broker\": 2}\nPOST /kill {\"broker\": 2}\nPOST /start {\"broker\": 2}\nPOST /restart\nGET /dump",
		"POST /kill {\"broker\": -1}",
		"POST /topics {\"name\": \"/default/b\", \"partitions\": 2000000000}",
		"POST /publish {\"topic\": \"/default/a\"}]",
		"POST /restart {\"broker\": 2}\nPOST /restart# 00000",
		"POST /publish {\"topic\": \"/default/a\", \"payload\": \"" + strings.Repeat("x", 4096) + "\", \"count\": 1000000}",
		"POST /fault {\"duplicate\": 2000000000}",
		"POST /fault {\"delay\": \"2562047h\", \"corrupt_base64\": \"\"}",
		"POST /subscriptions {\"topic\": \"/default/a\"}",
		"POST /topics {\"name\": \"\"}\nPOST /topics null\nPOST /topics\nGET /fault/99999999999999999999\nGET /messages?topic=%zz&topic=x\nGET //dump\nPUT /dump\nGET /wait/acked?timeout=%&topic=/default/a&subscription=s",
	} {
		f.Add(requests)
	}
	f.Fuzz(func(t *testing.T, requests string) {
		b, err := danubetest.New(danubetest.WithBufconn(), danubetest.WithBrokers(2), danubetest.WithTopic("/default/a", danubetest.TopicConfig{}),
			danubetest.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		c := (&control{b: b, faults: make(map[int]*danubetest.FaultHandle)}).routes()
		ask := func(method, path, body string) (code int, text string) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
			if err != nil || req.Host != "localhost" {
				return 0, "" // no request
			}
			w, start := httptest.NewRecorder(), time.Now()
			c.ServeHTTP(w, req)
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%s %s %q took %v", method, path, body, d)
			}
			return w.Code, w.Body.String()
		}
		for i, line := range strings.Split(requests, "\n") {
			if i == 16 {
				break
			}
			method, rest, _ := strings.Cut(line, " ")
			path, body, _ := strings.Cut(rest, " ")
			code, text := ask(method, path, body)
			switch code {
			case 0, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
			case http.StatusOK:
				if !json.Valid([]byte(text)) && !strings.HasPrefix(path, "/dump") {
					t.Errorf("%q: %s", line, text)
				}
				if strings.HasPrefix(line, "POST ") && len(bytes.TrimSpace([]byte(body))) > 0 && !json.Valid([]byte(body)) {
					t.Errorf("%q was done", line)
				}
			case http.StatusBadRequest, http.StatusConflict, http.StatusGatewayTimeout:
				var said struct{ Error string }
				if json.Unmarshal([]byte(text), &said) != nil || said.Error == "" {
					t.Errorf("%q: %d %s", line, code, text)
				}
			default:
				t.Errorf("%q: %d %s", line, code, text)
			}
			var in struct{ Broker, Partitions, Duplicate int }
			if json.Unmarshal([]byte(body), &in) == nil && code == http.StatusOK && (path == "/kill" && (in.Broker < 0 || in.Broker > 2) || path == "/topics" && in.Partitions > 1<<20 || path == "/fault" && in.Duplicate > 1<<20) {
				t.Errorf("%q was done", line)
			}
		}
		if code, text := ask("POST", "/restart", ""); code != http.StatusOK {
			t.Errorf("restart: %d %s", code, text)
		}
		if code, text := ask("GET", "/dump", ""); code != http.StatusOK || !strings.Contains(text, "topic /default/a, ") {
			t.Errorf("dump: %d %s", code, text)
		}
	})
}
