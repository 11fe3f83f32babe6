//go:build unix || windows

package ssl

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/socket"
)

const (
	// maxRecord is how many bytes of data a record has at most.
	maxRecord = 16 << 10

	// maxUnsent is how many bytes may be unsent when another record, which may ask for an answer, is received: more than Send
	// leaves.
	maxUnsent = 2 * maxRecord
)

// An operation is what may have to wait.
type operation struct {
	name string
	attempt
	wantRead, wantWrite error // always the same, so that they cost no allocation
}

// An attempt goes as far as possible without waiting, and returns what to wait for.
type attempt func(c *conn, p []byte) (n int, w want, err error)

var (
	handshakeOp = newOperation("ssl.do_handshake", (*conn).shake)
	recvOp      = newOperation("ssl.recv", (*conn).receive)
	sendOp      = newOperation("ssl.send", (*conn).send)
	sendfileOp  = newOperation("ssl.sendfile", (*conn).send)
	notifyOp    = newOperation("ssl.unwrap", (*conn).notify)
	unwrapOp    = newOperation("ssl.unwrap", (*conn).awaitNotify)
)

func newOperation(name string, f attempt) *operation {
	return &operation{name, f, opError(name, ErrWantRead), opError(name, ErrWantWrite)}
}

var errUnwrapped = fmt.Errorf("the connection is unwrapped: %w", os.ErrClosed)

// deadline returns when an operation that begins now has to end.
func (s *Socket) deadline() sys.Deadline { return sys.After(s.Gettimeout()) }

// do performs an operation, after the handshake. Nobody waits for anything else as long as some wait for the handshake, whom it
// would keep in the queue for the socket.
func (s *Socket) do(o *operation, p []byte, deadline sys.Deadline) (n int, err error) {
	if s.conn.unwrapped.Load() {
		return 0, o.failed(errUnwrapped)
	}
	h := &s.conn.handshake
	if !h.done.Load() {
		h.waiters.RLock()
		_, err := s.perform(o, (*conn).shake, nil, deadline)
		h.waiters.RUnlock()
		if err != nil {
			return 0, err
		}
	}
	if deadline != sys.Now && !h.settled.Load() {
		h.waiters.Lock()
		h.settled.Store(true)
		h.waiters.Unlock()
	}
	return s.perform(o, o.attempt, p, deadline)
}

// take waits for a turn.
func (c *conn) take(turn wait.Turn, o *operation, deadline sys.Deadline) error {
	if turn.Take(deadline, c.ctx.Done()) {
		return nil
	}
	if c.isClosed() {
		return o.failed(os.ErrClosed)
	}
	if deadline == sys.Now {
		return o.wantWrite
	}
	return o.failed(os.ErrDeadlineExceeded)
}

// perform makes an attempt, and waits until the deadline for what that wants.
func (s *Socket) perform(o *operation, f attempt, p []byte, deadline sys.Deadline) (n int, err error) {
	n, w, err := s.conn.try(f, p)
	if w != nothing && err == nil && deadline != sys.Now {
		n, w, err = s.wait(f, p, w, deadline)
	}
	switch {
	case err != nil:
		return n, o.failed(err)
	case w == readable:
		return 0, o.wantRead
	case w == writable:
		return 0, o.wantWrite
	}
	return n, nil
}

func (c *conn) try(f attempt, p []byte) (n int, w want, err error) {
	if c.isClosed() {
		return 0, nothing, os.ErrClosed
	}
	return f(c, p)
}

func (c *conn) isClosed() bool { return c.ctx.Err() != nil }

// An awaiter is the RawConn of a socket.
type awaiter interface {
	Await(write bool, deadline sys.Deadline, f func(fd uintptr) (done bool)) error
	Kick()
}

// wait repeats an attempt that wants something until it does not. If that is over before the deadline, as SO_RCVTIMEO and
// SO_SNDTIMEO demand, it returns what the last one wants.
func (s *Socket) wait(f attempt, p []byte, w want, deadline sys.Deadline) (n int, _ want, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, w, err
	}
	s.conn.waiters.Add(1)
	defer s.conn.waiters.Add(-1)
	for w != nothing && err == nil {
		direction := w
		failed := raw.(awaiter).Await(w == writable, deadline, func(uintptr) bool {
			n, w, err = s.conn.try(f, p)
			return err != nil || w != direction
		})
		switch {
		case err != nil:
		case errors.Is(failed, socket.ErrWouldBlock):
			return 0, w, nil
		default:
			err = failed
		}
	}
	return n, w, err
}

// kick lets those who wait try again, when what they wait for has perhaps been taken from the kernel already.
func (c *conn) kick() {
	if c.waiters.Load() == 0 {
		return
	}
	if raw, err := c.wire.sock.SyscallConn(); err == nil {
		raw.(awaiter).Kick()
	}
}

// failed returns the error of an operation for one of crypto/tls or of the socket.
func (o *operation) failed(err error) error {
	_, done := err.(*Error)
	op, ofSocket := errors.AsType[*pyselect.OpError](err)
	switch {
	case done:
	case ofSocket:
		err = op.Err
	case err == ErrEOF, errors.Is(err, os.ErrClosed), errors.Is(err, os.ErrInvalid), err == os.ErrDeadlineExceeded:
	default:
		err = ofTLS(err)
	}
	return opError(o.name, err)
}

// ofTLS returns the error for one of crypto/tls, or of a function of its config.
func ofTLS(err error) error {
	if header, ok := err.(tls.RecordHeaderError); ok {
		header.Conn = nil // which is a wire
		err = header
	}
	if err == io.EOF {
		err = errors.New("close_notify in the handshake")
	}
	return &Error{err}
}

// DoHandshake does the handshake, as far as it has not been done. A loop that both sends and receives does it first: otherwise
// Send may want what Recv reads in the same round, and the loop waits in vain. It mirrors SSLSocket.do_handshake.
//
// The error is ErrWantRead or ErrWantWrite if the socket is non-blocking and has to become ready first, os.ErrDeadlineExceeded if
// its timeout is over, an *Error if the peer is not who it has to be, or does not keep to the protocol, ErrEOF if the connection
// has ended, os.ErrInvalid if the socket is no stream, or that of the socket. The error stays, but for the first two. If another
// goroutine does the handshake, DoHandshake waits for it.
func (s *Socket) DoHandshake() error {
	_, err := s.do(handshakeOp, nil, s.deadline())
	return err
}

// Recv receives up to len(p) bytes of one record. Zero bytes mean that the peer has said close_notify, without an error. There
// are no flags. If p is empty, Recv does nothing. It mirrors SSLSocket.recv_into.
//
// The error is like that of DoHandshake. It is ErrWantWrite, also after the handshake, if the peer asks for answers that it does
// not receive.
func (s *Socket) Recv(p []byte, flags ...int) (n int, err error) {
	if union(flags) != 0 {
		return 0, notAllowed("ssl.recv")
	}
	if len(p) == 0 {
		return s.Socket.Recv(nil)
	}
	n, err = s.do(recvOp, p, s.deadline())
	if s.SuppressRaggedEOFs && errors.Is(err, ErrEOF) {
		err = nil
	}
	return n, err
}

func (c *conn) receive(p []byte) (n int, w want, err error) {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if len(c.rest) > 0 {
		n = copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nothing, nil
	}
	if left, _ := c.wire.flush(); left > maxUnsent {
		return 0, writable, nil
	}
	n, err = c.read(p)
	if err == errNotNow {
		return 0, readable, nil
	}
	if n == len(p) || err != nil { // there may be more of the record, or the end
		c.kick()
	}
	if err == io.EOF {
		err = nil
	}
	return n, nothing, err
}

// read is that of crypto/tls, but for that every error stays.
func (c *conn) read(p []byte) (n int, err error) {
	if c.broken != nil {
		return 0, c.broken
	}
	n, err = c.tls.Read(p)
	c.wire.flush() // what the record has asked for
	if err != errNotNow {
		c.broken = err
	}
	return n, err
}

// Pending returns how many bytes can be received that no selector knows of: what is left of a record. It mirrors
// SSLSocket.pending.
func (s *Socket) Pending() int {
	c := s.conn
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if !c.handshake.done.Load() || c.isClosed() {
		return 0
	}
	if len(c.rest) == 0 {
		c.wire.shut = true
		c.readAhead()
		c.wire.shut = false
	}
	return len(c.rest)
}

// readAhead reads the rest of a record, or the next one.
func (c *conn) readAhead() error {
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	*buf = slices.Grow((*buf)[:0], maxRecord)
	n, err := c.read((*buf)[:maxRecord])
	c.rest = append([]byte(nil), (*buf)[:n]...)
	return err
}

// Read is Recv for the interface io.Reader: the end of the connection is io.EOF.
func (s *Socket) Read(p []byte) (n int, err error) {
	n, err = s.Recv(p)
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

// Send sends p and returns how many bytes that were. It waits until all of p is sent, with a timeout too. A non-blocking socket
// sends 16 KiB at most, in one record or, at first, in some smaller ones. There are no flags. It mirrors SSLSocket.send.
//
// The error is like that of DoHandshake. After ErrWantWrite, the next Send has to be given the same data, as in Python, or more
// that begins with it: a part of it may be on its way. If less is given, the error is os.ErrInvalid.
func (s *Socket) Send(p []byte, flags ...int) (n int, err error) {
	if union(flags) != 0 {
		return 0, notAllowed("ssl.send")
	}
	return s.send(p, s.Gettimeout() != 0)
}

// Sendall sends all of p, and waits as often as that needs; the timeout is for all of it, unlike in Python. If there is an error,
// nobody knows how much has been sent. It mirrors SSLSocket.sendall.
//
// The error is like that of Send.
func (s *Socket) Sendall(p []byte, flags ...int) error {
	if union(flags) != 0 {
		return notAllowed("ssl.sendall")
	}
	_, err := s.send(p, true)
	return err
}

// Write is Sendall for the interface io.Writer.
func (s *Socket) Write(p []byte) (n int, err error) { return s.send(p, true) }

// send sends a part of p, or all of it.
func (s *Socket) send(p []byte, all bool) (sent int, err error) {
	deadline := s.deadline()
	if err := s.conn.take(s.conn.sending, sendOp, deadline); err != nil {
		return 0, err
	}
	defer s.conn.sending.Leave()
	for {
		n, err := s.do(sendOp, p[sent:], deadline)
		if sent += n; err != nil || sent == len(p) || !all {
			return sent, err
		}
	}
}

func (c *conn) send(p []byte) (n int, w want, err error) {
	left, err := c.wire.flush()
	switch {
	case err != nil:
		return 0, nothing, err
	case c.sent > len(p):
		return 0, nothing, fmt.Errorf("%d bytes, want the %d or more that could not be sent before: %w", len(p), c.sent, os.ErrInvalid)
	case c.sent == 0 && left == 0 && len(p) > 0:
		if c.sent, err = c.tls.Write(p[:min(len(p), maxRecord)]); err != nil {
			c.sent = 0
			return 0, nothing, err
		}
		left, err = c.wire.flush()
	}
	if left > 0 || err != nil {
		return 0, writable, err
	}
	n, c.sent = c.sent, 0
	return n, nothing, nil
}

// notify says close_notify.
func (c *conn) notify([]byte) (n int, w want, err error) {
	c.tls.CloseWrite()
	if left, err := c.wire.flush(); left > 0 || err != nil {
		return 0, writable, err
	}
	return 0, nothing, nil
}

// awaitNotify receives the peer's close_notify. What comes before it stays to be received.
func (c *conn) awaitNotify([]byte) (n int, w want, err error) {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if len(c.rest) == 0 {
		err = c.readAhead()
	}
	if err == errNotNow {
		return 0, readable, nil
	}
	c.kick()
	switch {
	case len(c.rest) > 0:
		err = errors.New("there is application data before the peer's close_notify")
	case err == io.EOF:
		err = nil
	}
	return 0, nothing, err
}

func union(flags []int) (all int) {
	for _, flag := range flags {
		all |= flag
	}
	return all
}

// Sendfile sends count bytes of a file from an offset on, or all if count is negative, and returns how many bytes it has sent. It
// reads them, as they have to be encrypted. A blocking socket waits until all is sent, another one sends the records for which
// there is room, and waits only if there is none. It mirrors SSLSocket.sendfile.
//
// The error is that of Send, that of reading the file, or os.ErrInvalid if the file is nil or the offset negative. The next bytes
// that are sent have to be those of the file that follow, as after ErrWantWrite.
func (s *Socket) Sendfile(file *os.File, offset, count int64) (sent int64, err error) {
	if offset < 0 {
		return 0, opError(sendfileOp.name, fmt.Errorf("offset %d: %w", offset, os.ErrInvalid))
	}
	deadline := s.deadline()
	if err := s.conn.take(s.conn.sending, sendfileOp, deadline); err != nil {
		return 0, err
	}
	defer s.conn.sending.Leave()
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	*buf = slices.Grow((*buf)[:0], maxRecord)
	for p := (*buf)[:maxRecord]; ; {
		if count >= 0 {
			p = p[:min(int64(len(p)), count-sent)]
		}
		n, err := file.ReadAt(p, offset+sent)
		if n == 0 && err != nil && err != io.EOF {
			return sent, opError(sendfileOp.name, err)
		}
		n, err = s.do(sendfileOp, p[:n], deadline)
		sent += int64(n)
		switch {
		case sent > 0 && deadline == sys.Now && errors.Is(err, socket.ErrWouldBlock):
			return sent, nil
		case err != nil || n == 0 || sent == count:
			return sent, err
		case deadline != sys.Never:
			deadline = sys.Now
		}
	}
}

// Recvfrom is not allowed: the error is os.ErrInvalid, as with the following ones.
func (s *Socket) Recvfrom([]byte, ...int) (n int, from net.Addr, err error) {
	return 0, nil, notAllowed("ssl.recvfrom")
}

// Sendto is not allowed.
func (s *Socket) Sendto([]byte, net.Addr, ...int) (n int, err error) {
	return 0, notAllowed("ssl.sendto")
}

// Recvmsg is not allowed.
func (s *Socket) Recvmsg([][]byte, int, ...int) (n int, ancdata []socket.ControlMessage, flags int, from net.Addr, err error) {
	return 0, nil, 0, nil, notAllowed("ssl.recvmsg")
}

// Sendmsg is not allowed.
func (s *Socket) Sendmsg([][]byte, []socket.ControlMessage, net.Addr, ...int) (n int, err error) {
	return 0, notAllowed("ssl.sendmsg")
}

// Dup is not allowed.
func (s *Socket) Dup() (*socket.Socket, error) { return nil, notAllowed("ssl.dup") }

// NetConn is not allowed.
func (s *Socket) NetConn() (net.Conn, error) { return nil, notAllowed("ssl.netconn") }

// NetListener is not allowed.
func (s *Socket) NetListener() (net.Listener, error) { return nil, notAllowed("ssl.netlistener") }
