// Package tree is looked at.
package tree

func Undocumented() {}
