package main

// #include "bridge.h"
import "C"

import (
	"errors"
	"net"
	"os"
	"syscall"
	"unsafe"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
)

// errRaised says that a fileno method has raised an exception, which the Python side keeps.
var errRaised = errors.New("fileno has raised an exception")

// kinds are the kinds of failures, as binding.py numbers them, from 1. An error can be of several: the first one counts.
var kinds = []error{
	errRaised,
	pyselect.ErrNotWaitable,
	os.ErrInvalid,
	os.ErrClosed,
	pyselect.ErrNotRegistered,
	selectors.ErrRegistered,
	pyselect.ErrConcurrentPoll,
	os.ErrDeadlineExceeded,
	errResolver,
}

// errResolver stands for the errors of names that mean no address.
var errResolver = errors.New("no such name")

// fail tells Python of an error, if it is one.
func fail(f *C.failure, err error) {
	if err == nil {
		return
	}
	f.kind = C.int(len(kinds) + 1)
	for i, kind := range kinds {
		if errors.Is(err, kind) || kind == errResolver && isResolver(err) {
			f.kind = C.int(i + 1)
			break
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.err = C.int(errno)
	}
	text := unsafe.Slice((*byte)(unsafe.Pointer(&f.text)), len(f.text))
	copy(text[:len(text)-1], err.Error())
}

func isResolver(err error) bool {
	var dnsErr *net.DNSError
	var addrErr *net.AddrError
	return errors.As(err, &dnsErr) || errors.As(err, &addrErr)
}
