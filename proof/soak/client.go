//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	patience = time.Minute     // after that, something hangs
	holds    = 2 * time.Second // how long those who are no good stay at most

	// Bytes of what a client sends and asks for, as powers of 2.
	most, mostOfSlow, mostOfRude = 20, 11, 24
)

// The kinds of clients.
const (
	good = iota
	slow
	rude
	vanishing
	crowd
	nKinds
)

var kinds = [nKinds]struct {
	name    string
	workers int
	pause   time.Duration // between one client and the next, at most
	be      func(*client) error
}{
	good:      {"good", 2, 50 * time.Millisecond, (*client).beGood},
	slow:      {"slow", 3, 50 * time.Millisecond, (*client).beSlow},
	rude:      {"rude", 1, 100 * time.Millisecond, (*client).beRude},
	vanishing: {"vanishing", 1, 100 * time.Millisecond, (*client).vanish},
	crowd:     {"crowd", 1, 20 * time.Second, (*client).beMany},
}

// A client is one after another of the same kind. It goes by one source of what is random.
type client struct {
	*rand.Rand
	source *rand.ChaCha8 // of Rand
	number int
	soak   *soak
	slow   bool
}

func (s *soak) newClient() *client {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], s.seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(s.workers))
	s.workers++
	source := rand.NewChaCha8(seed)
	return &client{Rand: rand.New(source), source: source, number: s.workers, soak: s}
}

// upTo returns some time.
func (c *client) upTo(most time.Duration) time.Duration { return time.Duration(c.Int64N(int64(most))) }

// size returns a number of bytes. Small ones are as likely as large ones.
func (c *client) size() int {
	most := most
	if c.slow {
		most = mostOfSlow
	}
	return c.IntN(1 << c.IntN(most+1))
}

func (c *client) bytes(n int) []byte {
	p := make([]byte, n)
	c.source.Read(p)
	return p
}

// beGood does a job. The error says what has not been as it should.
func (c *client) beGood() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	c.soak.job(conn)
	return conn.err
}

func (c *client) beSlow() error {
	c.slow = true
	err := c.beGood()
	if c.soak.drops {
		return nil
	}
	return err
}

// beRude sends what the server may not understand.
func (c *client) beRude() error {
	conn, err := c.dialBadly()
	if err != nil {
		return err
	}
	defer conn.Close()
	p := c.soak.request(c)
	switch c.IntN(4) {
	case 0:
		p = p[:c.IntN(len(p)+1)]
	case 1:
		p[c.IntN(len(p))] = byte(c.Uint32())
	case 2:
		p = c.bytes(c.size())
	case 3:
		p = append(p[:c.IntN(len(p))], bytes.Repeat([]byte{'x'}, c.IntN(1<<c.IntN(c.mostOfRude())))...)
	}
	conn.SetDeadline(time.Now().Add(holds))
	conn.Write(p)
	if c.IntN(2) == 0 {
		conn.CloseWrite()
	}
	if c.IntN(2) == 0 {
		io.Copy(io.Discard, conn)
	}
	return nil
}

func (c *client) mostOfRude() int {
	if c.soak.drops {
		return mostOfSlow // otherwise those who are good hear too much of it
	}
	return mostOfRude
}

// vanish leaves at once, in the middle of a request, or before it has read the answer.
func (c *client) vanish() error {
	conn, err := c.dialBadly()
	if err != nil {
		return err
	}
	defer conn.Close()
	if c.IntN(4) > 0 {
		conn.tcp.SetLinger(0)
	}
	conn.SetDeadline(time.Now().Add(c.upTo(holds)))
	for range c.IntN(4) {
		conn.Write(c.soak.request(c))
	}
	switch c.IntN(3) {
	case 0:
		io.CopyN(io.Discard, conn, int64(c.size()))
	case 1:
		time.Sleep(c.upTo(holds))
	}
	return nil
}

// beMany takes all descriptors that the server may have. When they are free again, it serves as before.
func (c *client) beMany() error {
	var wg sync.WaitGroup
	for i := range 2 * maxDescriptors {
		var request []byte
		if i%2 == 0 {
			request = c.soak.request(c)
		}
		wg.Go(func() {
			conn, err := net.DialTimeout("tcp", c.soak.server.addr, holds)
			if err != nil {
				return // there is no room left where clients wait
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(holds))
			conn.Write(request)
			io.Copy(io.Discard, conn)
		})
	}
	wg.Wait()
	return c.beGood()
}

// A conn is a connection of a client.
type conn struct {
	net.Conn
	*client
	tcp *net.TCPConn // without TLS, and fast
	err error        // the first one, after which nothing more is done
}

// dial connects, and whatever is done then must not take too long.
func (c *client) dial() (*conn, error) {
	dialer := net.Dialer{Timeout: patience}
	if c.slow {
		dialer.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}
	}
	dialed, err := dialer.Dial("tcp", c.soak.server.addr)
	if err != nil {
		return nil, err
	}
	deadline := patience
	if c.slow && c.soak.drops {
		deadline = holds
	}
	dialed.SetDeadline(time.Now().Add(deadline))
	tcp := dialed.(*net.TCPConn)
	if c.slow {
		dialed = &slowConn{dialed, c.newPace(), c.newPace()}
	}
	if c.soak.tls {
		dialed = tls.Client(dialed, &tls.Config{InsecureSkipVerify: true})
	}
	return &conn{Conn: dialed, client: c, tcp: tcp}, nil
}

// dialBadly is dial, but sometimes there is no TLS or the handshake breaks off.
func (c *client) dialBadly() (*conn, error) {
	conn, err := c.dial()
	if err == nil && c.soak.tls {
		switch c.IntN(3) {
		case 0:
			conn.Conn = conn.tcp
		case 1:
			conn.SetDeadline(time.Now().Add(c.upTo(10 * time.Millisecond)))
			conn.Conn.(*tls.Conn).Handshake()
		}
	}
	return conn, err
}

func (c *conn) send(p []byte) {
	if c.err == nil {
		_, c.err = c.Write(p)
	}
}

// sendAtOnce is for what must not come in pieces.
func (c *conn) sendAtOnce(p []byte) {
	if c.err == nil {
		_, c.err = c.tcp.Write(p)
	}
}

// CloseWrite ends what the client sends.
func (c *conn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// expect receives what the server has to send now.
func (c *conn) expect(want []byte) {
	buf := make([]byte, min(len(want), 64<<10))
	for at := 0; at < len(want) && c.err == nil; {
		n, err := c.Read(buf[:min(len(buf), len(want)-at)])
		if !bytes.Equal(buf[:n], want[at:at+n]) {
			c.err = fmt.Errorf("from byte %d of %d on: got %.100q, want %.100q", at, len(want), buf[:n], want[at:at+n])
			return
		}
		at += n
		c.soak.received.Add(int64(n))
		if err != nil && at < len(want) {
			c.err = fmt.Errorf("after %d of %d bytes: %w", at, len(want), err)
		}
	}
}

// expectEnd waits until the server closes the connection, from which r reads.
func (c *conn) expectEnd(r io.Reader) {
	if c.err != nil {
		return
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		c.err = fmt.Errorf("instead of the end: %d bytes, %v", n, err)
	}
}

// A slowConn sends byte by byte, receives little at once, and pauses.
type slowConn struct {
	net.Conn
	reading, writing pace
}

func (c *slowConn) Read(p []byte) (int, error) {
	c.reading.pause()
	return c.Conn.Read(p[:min(len(p), 64)])
}

func (c *slowConn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		c.writing.pause()
		_, err = c.Conn.Write(p[n : n+1])
		n++
	}
	return n, err
}

// CloseWrite ends what is sent.
func (c *slowConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// A pace is what is random about a direction of a slow connection.
type pace struct{ *rand.Rand }

func (c *client) newPace() pace { return pace{rand.New(rand.NewPCG(c.Uint64(), 0))} }

func (p pace) pause() {
	if p.IntN(200) == 0 {
		time.Sleep(time.Duration(p.Int64N(int64(time.Second))))
	} else {
		time.Sleep(time.Duration(p.Int64N(int64(2 * time.Millisecond))))
	}
}
