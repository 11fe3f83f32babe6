package main

// #include "bridge.h"
import "C"

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/ssl"
)

// errRaised says that a fileno method has raised an exception, which the Python side keeps.
var errRaised = errors.New("fileno has raised an exception")

// kinds are the kinds of failures, as binding.py numbers them, from 1. An error can be of several: the first one counts.
var kinds = []func(error) bool{
	is(errRaised),
	is(pyselect.ErrNotWaitable),
	is(os.ErrInvalid),
	is(os.ErrClosed),
	is(pyselect.ErrNotRegistered),
	is(selectors.ErrRegistered),
	is(pyselect.ErrConcurrentPoll),
	is(os.ErrDeadlineExceeded),
	func(err error) bool { return as[*net.DNSError](err) || as[*net.AddrError](err) },
	is(ssl.ErrWantRead),
	is(ssl.ErrWantWrite),
	is(ssl.ErrEOF),
	as[*tls.CertificateVerificationError],
	func(err error) bool { return alert(err) > 0 },
	as[*ssl.Error],
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// fail tells Python of an error, if it is one.
func fail(f *C.failure, err error) {
	if err == nil {
		return
	}
	f.kind = C.int(len(kinds) + 1)
	for i, kind := range kinds {
		if kind(err) {
			f.kind = C.int(i + 1)
			break
		}
	}
	n, message := details(err)
	f.err = C.int(n)
	text := unsafe.Slice((*byte)(unsafe.Pointer(&f.text)), len(f.text))
	copy(text[:len(text)-1], message)
}

// details returns what an error has of a number, and its text.
func details(err error) (number int, text string) {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return int(errno), err.Error()
	}
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refusal(refused)
	}
	return alert(err), err.Error()
}

// alert returns the alert that the peer has sent, or zero if it has sent none. Package crypto/tls does not export its type.
func alert(err error) int {
	remote, ok := errors.AsType[*net.OpError](err)
	if !ok || remote.Op != "remote error" {
		return 0
	}
	n, err := strconv.Atoi(fmt.Sprintf("%d", remote.Err))
	if err != nil {
		return 0
	}
	return n
}
