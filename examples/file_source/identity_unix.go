//go:build unix

package main

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// identity is a file's place on the disk, which stays when it is renamed inside its
// directory: the directory and the inode.
func identity(path string, info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return path
	}
	return filepath.Dir(path) + ":" + strconv.FormatUint(stat.Ino, 10)
}

// deleted reports whether an open file has no name any more, anywhere, and will get
// none.
func deleted(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// partition is what a file is called in its offsets: its first name and the inode.
func partition(path, id string) string { return path + id[strings.LastIndexByte(id, ':'):] }

// parsePartition is the reverse of partition.
func parsePartition(s string) (path, id string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, s
	}
	return s[:i], filepath.Dir(s) + s[i:]
}
