//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// columns returns how wide a terminal is, or false if the file is none.
func columns(f *os.File) (int, bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	if size.Col == 0 { // nobody has said
		return 80, true
	}
	return int(size.Col), true
}

func isTerminal(f *os.File) bool {
	_, ok := columns(f)
	return ok
}
