//go:build aix || dragonfly || freebsd || solaris

package sys

// An fdWord is a word of a bitmap: a C long.
type fdWord = uintptr
