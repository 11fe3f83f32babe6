//go:build darwin || netbsd || openbsd

package sys

// An fdWord is a word of a bitmap.
type fdWord = uint32
