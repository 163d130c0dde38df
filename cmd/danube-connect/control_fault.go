package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// faultRequest is a danubetest.Fault in JSON.
type faultRequest struct {
	Methods      []string `json:"methods"`
	Topic        string   `json:"topic"`
	Subscription string   `json:"subscription"`
	Producer     string   `json:"producer"`
	Consumer     string   `json:"consumer"`
	Key          string   `json:"key"`
	Broker       int      `json:"broker"`
	Offsets      []uint64 `json:"offsets"`

	Code       string  `json:"code"` // of a status, such as RESOURCE_EXHAUSTED
	Message    string  `json:"message"`
	AfterApply bool    `json:"after_apply"`
	Hang       bool    `json:"hang"`
	Delay      string  `json:"delay"`
	EndStream  string  `json:"end_stream"`
	Duplicate  int     `json:"duplicate"`
	Reorder    bool    `json:"reorder"`
	Corrupt    *string `json:"corrupt_base64"` // what is delivered in place of the payload
	Dead       bool    `json:"dead"`
	Cut        bool    `json:"cut"`
	Redirect   string  `json:"redirect"`
	Close      bool    `json:"close"`
	Observe    bool    `json:"observe"`

	Skip  int `json:"skip"`
	Count int `json:"count"`
}

// fault makes the fault, or says what is wrong with it.
func (q *faultRequest) fault(deadURL string) (f danubetest.Fault, err error) {
	f = danubetest.Fault{
		Topic: q.Topic, Subscription: q.Subscription, Producer: q.Producer, Consumer: q.Consumer, RoutingKey: q.Key,
		Broker: q.Broker, Offsets: q.Offsets, AfterApply: q.AfterApply, Hang: q.Hang, Duplicate: q.Duplicate,
		Reorder: q.Reorder, Dead: q.Dead, Cut: q.Cut, Redirect: q.Redirect, Close: q.Close, Observe: q.Observe,
		Skip: q.Skip, Count: q.Count,
	}
	if q.Redirect == "dead" {
		f.Redirect = deadURL
	}
	for _, name := range q.Methods {
		m, err := methodOf(name)
		if err != nil {
			return f, err
		}
		f.Methods = append(f.Methods, m)
	}
	switch {
	case q.Code != "":
		var code codes.Code
		if err := json.Unmarshal([]byte(strconv.Quote(strings.ToUpper(q.Code))), &code); err != nil || code == codes.OK {
			return f, bad("code %q: want the name of a gRPC status, such as RESOURCE_EXHAUSTED", q.Code)
		}
		f.Err = status.Error(code, q.Message)
	case q.Message != "":
		return f, bad("message is for a code")
	}
	if q.Delay != "" {
		if f.Delay, err = time.ParseDuration(q.Delay); err != nil {
			return f, bad("delay %q: want a duration such as 200ms", q.Delay)
		}
	}
	if q.EndStream != "" {
		if f.EndStream, err = endOf(q.EndStream); err != nil {
			return f, err
		}
	}
	if q.Corrupt != nil {
		payload, err := base64.StdEncoding.DecodeString(*q.Corrupt)
		if err != nil {
			return f, bad("corrupt_base64: %w", err)
		}
		f.Corrupt = func([]byte) []byte { return payload }
	}
	if err := f.Check(); err != nil {
		return f, badRequest{err}
	}
	return f, nil
}

// methodOf returns the method of that name.
func methodOf(name string) (danubetest.Method, error) {
	var names []string
	for m := danubetest.Method(1); m.String() != danubetest.Method(0).String() && m.String() != "unknown"; m++ {
		if m.String() == name {
			return m, nil
		}
		names = append(names, m.String())
	}
	return 0, bad("method %q: want one of %s", name, strings.Join(names, ", "))
}

func endOf(name string) (danubetest.StreamEnd, error) {
	var names []string
	for e := danubetest.StreamEOF; e <= danubetest.StreamReset; e++ {
		if e.String() == name {
			return e, nil
		}
		names = append(names, e.String())
	}
	return 0, bad("end_stream %q: want one of %s", name, strings.Join(names, ", "))
}

func (c *control) addFault(r *http.Request) (any, error) {
	var q faultRequest
	if err := read(r, &q); err != nil {
		return nil, err
	}
	f, err := q.fault(c.b.DeadURL())
	if err != nil {
		return nil, err
	}
	h := c.b.Fault(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	c.faults[c.next] = h
	return map[string]int{"id": c.next}, nil
}

// find returns the fault that a request names.
func (c *control) find(r *http.Request) (*danubetest.FaultHandle, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, bad("fault %q: want the number that POST /fault has answered", r.PathValue("id"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.faults[id]; h != nil {
		return h, nil
	}
	return nil, errNoFault
}

func (c *control) fault(r *http.Request) (any, error) {
	h, err := c.find(r)
	if err != nil {
		return nil, err
	}
	return map[string]int{"hits": h.Hits()}, nil
}

func (c *control) waitFault(r *http.Request) (any, error) {
	h, err := c.find(r)
	if err != nil {
		return nil, err
	}
	if err := awaiting(r, h.Wait); err != nil {
		return nil, err
	}
	return map[string]int{"hits": h.Hits()}, nil
}

// removeFault removes a fault; its hits can still be asked for.
func (c *control) removeFault(r *http.Request) (any, error) {
	h, err := c.find(r)
	if err != nil {
		return nil, err
	}
	h.Remove()
	return map[string]int{"hits": h.Hits()}, nil
}
