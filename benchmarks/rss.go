package main

import (
	"bytes"
	"os"
	"strconv"
)

// rss returns the resident memory of this process in bytes, 0 where the system
// keeps it elsewhere than Linux does.
func rss() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
