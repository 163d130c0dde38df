package danube

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The broker accepts some names that break it later (empty parts, a slash in a
// subscription's name); the client is stricter.
var (
	topicPattern = regexp.MustCompile(`^/[\pL\pN_-]+/[\pL\pN_-]+$`)
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

func checkTopic(topic string) error {
	if !topicPattern.MatchString(topic) {
		return invalid("topic %q: want /namespace/name, each of letters, digits, _ and -", topic)
	}
	return nil
}

func checkName(what, name string) error {
	if !namePattern.MatchString(name) {
		return invalid("%s %q: want one or more letters, digits, '_', '-' and '.'", what, name)
	}
	return nil
}

const partitionInfix = "-part-"

// partitionTopic is the name on the wire of one partition of a topic.
func partitionTopic(topic string, n int32) string {
	return topic + partitionInfix + strconv.Itoa(int(n))
}

// partitionOf gives the number of a partition of topic, NoPartition for the topic
// itself, and false for every other name. The broker lists all names that start
// with the topic's, also those of other topics.
func partitionOf(topic, wire string) (int32, bool) {
	if wire == topic {
		return NoPartition, true
	}
	digits, ok := strings.CutPrefix(wire, topic+partitionInfix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return 0, false
	}
	return int32(n), true
}

// maxPartitions is more than any topic has: a list of more is nonsense, and must not
// become as many sessions.
const maxPartitions = 16384

// listedPartitions picks the partitions of topic from a broker's list, in numeric
// order, and whether the topic itself is there.
func listedPartitions(topic string, listed []string) (parts []int32, plain bool, err error) {
	for _, wire := range listed {
		switch n, ok := partitionOf(topic, wire); {
		case !ok:
		case n == NoPartition:
			plain = true
		default:
			parts = append(parts, n)
		}
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	if len(parts) > maxPartitions {
		return nil, false, fmt.Errorf("danube: topic %s: the broker lists %d partitions, more than the %d that are possible", topic, len(parts), maxPartitions)
	}
	return parts, plain, nil
}

// partitionsOf is what to open of a topic: its partitions, or itself when it is not
// partitioned.
func partitionsOf(topic string, listed []string) ([]int32, error) {
	parts, plain, err := listedPartitions(topic, listed)
	if err != nil {
		return nil, err
	}
	if plain {
		return []int32{NoPartition}, nil
	}
	for i, n := range parts {
		if int32(i) != n {
			return nil, fmt.Errorf("danube: topic %s: partition %d is missing (the broker lists %d partitions)", topic, i, len(parts))
		}
	}
	return parts, nil
}

// keyPartition is the partition of a key: FNV-1a 64 modulo the number of
// partitions, as the other Danube clients have it, so that producers in several
// languages agree.
func keyPartition(key string, partitions int) int {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	h := uint64(offset)
	for i := range len(key) {
		h ^= uint64(key[i])
		h *= prime
	}
	return int(h % uint64(partitions))
}
