//go:build (unix && !linux) || windows

package main

import "github.com/pyselect/pyselect/socket"

// unacknowledged returns how many bytes the peer of a connection, whose own side is shut down, has not received, or false if
// nobody knows.
func unacknowledged(*socket.Socket) (n int, known bool) { return 0, false }
