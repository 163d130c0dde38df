package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// value is a flag that is checked when it is read, so that the error names it.
type value[T comparable] struct {
	v     *T
	parse func(string) (T, error)
}

func (v value[T]) Set(s string) error {
	got, err := v.parse(s)
	if err == nil {
		*v.v = got
	}
	return err
}

// String is what the help shows as the default; what is zero is not worth a word.
func (v value[T]) String() string {
	var zero T
	if v.v == nil || *v.v == zero {
		return ""
	}
	return fmt.Sprint(*v.v)
}

// numberFlag is a flag for a whole number within limits.
func numberFlag(fs *flag.FlagSet, name string, least, most, preset int, usage string) *int {
	numberFlagVar(fs, &preset, name, least, most, usage)
	return &preset
}

func numberFlagVar(fs *flag.FlagSet, n *int, name string, least, most int, usage string) {
	fs.Var(value[int]{n, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		switch {
		case err == nil && least <= n && n <= most:
			return n, nil
		case most == math.MaxInt:
			return 0, fmt.Errorf("want a number, %d or more", least)
		}
		return 0, fmt.Errorf("want a number, %d to %d", least, most)
	}}, name, usage)
}

// durationFlag is a flag for a time that is not negative.
func durationFlag(fs *flag.FlagSet, name string, preset time.Duration, usage string) *time.Duration {
	d := &preset
	fs.Var(value[time.Duration]{d, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, errors.New("want a duration such as 5s, 0s or more")
		}
		return d, nil
	}}, name, usage)
	return d
}

// secret reads a secret that is given as it is or, so that the list of processes does
// not show it, as @ and the name of its file. A line break at the file's end does not count.
func secret(s string) (string, error) {
	name, inFile := strings.CutPrefix(s, "@")
	if inFile {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		s = strings.TrimRight(string(text), "\r\n")
	}
	switch {
	case s == "" && inFile:
		return "", fmt.Errorf("%s: the file is empty: want the secret in it", name)
	case s == "":
		return "", errors.New("want it, or @ and the name of its file")
	}
	return s, nil
}

// topicName checks the name of a topic and returns its namespace.
func topicName(s string) (namespace string, err error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || parts[0] != "" || parts[1] == "" || parts[2] == "" {
		return "", fmt.Errorf("topic %q: want /namespace/topic", s)
	}
	return parts[1], nil
}
