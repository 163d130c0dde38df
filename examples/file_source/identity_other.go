//go:build !unix

package main

import "io/fs"

// identity is the name where files have no number: one that is renamed, and another
// that takes its name, are told apart by their beginnings.
func identity(path string, _ fs.FileInfo) string { return path }

// deleted reports whether an open file has no name any more: nobody can tell here.
func deleted(fs.FileInfo) bool { return false }

// partition is what a file is called in its offsets.
func partition(path, _ string) string { return path }

// parsePartition is the reverse of partition.
func parsePartition(s string) (path, id string) { return s, s }
