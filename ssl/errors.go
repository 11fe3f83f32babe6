//go:build unix || windows

package ssl

import (
	"errors"
	"fmt"

	"github.com/pyselect/pyselect/socket"
)

var (
	// ErrWantRead says that an operation of a non-blocking Socket can go on when the socket is readable. It is
	// socket.ErrWouldBlock too. It is Python's SSLWantReadError.
	ErrWantRead = fmt.Errorf("the socket has to be readable: %w", socket.ErrWouldBlock)

	// ErrWantWrite says that an operation of a non-blocking Socket can go on when the socket is writable. It is
	// socket.ErrWouldBlock too. It is Python's SSLWantWriteError.
	ErrWantWrite = fmt.Errorf("the socket has to be writable: %w", socket.ErrWouldBlock)

	// ErrEOF says that the connection has ended without close_notify, so that somebody else than the peer may have ended it. It
	// is Python's SSLEOFError.
	ErrEOF = errors.New("the connection has ended without close_notify")
)

// An Error is an error of the protocol, and not of the socket below: Python's SSLError. Err is that of crypto/tls, like a
// tls.RecordHeaderError, or a *tls.CertificateVerificationError, which has that of crypto/x509, or that of a function in the
// tls.Config.
type Error struct{ Err error }

// Error returns the text of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
