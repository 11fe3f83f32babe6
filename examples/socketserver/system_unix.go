//go:build unix

package main

import (
	"os"

	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

var newServerSelector = selectors.NewPollSelector // which needs no descriptor

const requestFd = 3 // in a child, its request

// startWith starts a process that inherits a request, and closes that here.
func startWith(request int, program string, attr *os.ProcAttr) (*os.Process, error) {
	file := os.NewFile(uintptr(request), "request")
	defer file.Close()
	attr.Files = append(attr.Files, file) // all others are close-on-exec
	return os.StartProcess(program, os.Args, attr)
}

// inherited returns the request that this process has inherited.
func inherited() (*socket.Socket, error) { return socket.Adopt(requestFd) }
