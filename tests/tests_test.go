//go:build unix || windows

// Package tests holds the tests of package pyselect that are not about one of its facilities: that all waits take their time, end
// when they should and occupy few threads; contexts; files of every kind; system calls that fail; a process that starts with few
// descriptors left; and the fuzz tests.
package tests

import "github.com/pyselect/pyselect/internal/testkit"

var (
	check     = testkit.Check
	wantError = testkit.WantError
)
