package danube

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestTopicNames(t *testing.T) {
	tests := map[string]bool{
		"/default/orders":     true,
		"/default/orders-eu":  true,
		"/ns_1/A-b_9":         true,
		"/default/заказы":     true,
		"/default/o-part-1":   true, // a partition may be consumed by itself
		"":                    false,
		"/":                   false,
		"//":                  false,
		"orders":              false,
		"default/orders":      false,
		"/default":            false,
		"/default/":           false,
		"//orders":            false,
		"/default/a/b":        false,
		"/default/a.b":        false,
		"/default/a b":        false,
		"/default/a:b":        false,
		"/default/orders\n":   false,
		"/default/\xff":       false,
		" /default/orders":    false,
		"/default/orders/":    false,
		"persistent://a/b":    false,
		"/default/or\x00ders": false,
	}
	for topic, ok := range tests {
		err := checkTopic(topic)
		if (err == nil) != ok {
			t.Errorf("%q: got %v, want it accepted: %v", topic, err, ok)
		}
		if err != nil && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "/namespace/name")) {
			t.Errorf("%q: %v: want ErrInvalid and the form that is expected", topic, err)
		}
	}
}

func TestOtherNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"sink": true, "sink-1_B.x": true,
		"": false, "a/b": false, "a b": false, "заказ": false, "a\n": false, "*": false,
	} {
		err := checkName("subscription", name)
		if (err == nil) != ok {
			t.Errorf("%q: got %v, want it accepted: %v", name, err, ok)
		}
		if err != nil && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "subscription")) {
			t.Errorf("%q: %v: want ErrInvalid that says what is wrong", name, err)
		}
	}
}

// The broker lists every name that starts with the topic's, in the order of
// letters, so that -part-10 comes before -part-2.
func TestPartitionsOf(t *testing.T) {
	const topic = "/default/orders"
	tests := map[string]struct {
		listed []string
		want   []int32
		err    bool
	}{
		"none":             {nil, nil, false},
		"not partitioned":  {[]string{topic}, []int32{NoPartition}, false},
		"three":            {[]string{topic + "-part-0", topic + "-part-1", topic + "-part-2"}, []int32{0, 1, 2}, false},
		"numeric order":    {names(topic, 0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9), []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, false},
		"other topics":     {[]string{topic + "-eu", topic + "-eu-part-0", topic + "2", topic + "-partial"}, nil, false},
		"prefix pollution": {[]string{topic + "-eu", topic + "-part-0", topic + "-part-0-eu", topic + "-part-1"}, []int32{0, 1}, false},
		"itself and more":  {[]string{topic, topic + "-dlq", topic + "-part-0"}, []int32{NoPartition}, false},
		"not numbers": {[]string{topic + "-part-", topic + "-part-x", topic + "-part-01", topic + "-part--1", topic + "-part-+1",
			topic + "-part-99999999999", topic + "-part-1a"}, nil, false},
		"twice":                     {names(topic, 0, 0, 1, 1), []int32{0, 1}, false},
		"a hole, as while creating": {names(topic, 0, 2), nil, true},
		"the first is missing":      {names(topic, 1), nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := partitionsOf(topic, tt.listed)
			if (err != nil) != tt.err || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v, an error: %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func names(topic string, parts ...int32) []string {
	var list []string
	for _, n := range parts {
		list = append(list, partitionTopic(topic, n))
	}
	return list
}

// The vectors are shared with the clients of other languages.
func TestKeyPartition(t *testing.T) {
	tests := []struct {
		key              string
		mod3, mod4, mod8 int
	}{
		{"", 2, 1, 5},
		{"a", 1, 0, 4},
		{"order-123", 0, 2, 2},
		{"payment", 0, 1, 1},
		{"shipping", 2, 3, 3},
		{"user-42", 0, 3, 3},
		{"ключ", 0, 1, 1},
	}
	for _, tt := range tests {
		got := [...]int{keyPartition(tt.key, 1), keyPartition(tt.key, 3), keyPartition(tt.key, 4), keyPartition(tt.key, 8)}
		if want := [...]int{0, tt.mod3, tt.mod4, tt.mod8}; got != want {
			t.Errorf("%q modulo 1, 3, 4, 8: got %v, want %v", tt.key, got, want)
		}
	}
}
