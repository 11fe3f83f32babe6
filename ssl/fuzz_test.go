//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// The steps of a program for what is between a client and a server. Each is for one direction, or one side.
const (
	stepPass    byte = iota // n: passes on n bytes, or what there is
	stepAll                 // passes on everything
	stepChange              // pos, mask: changes a byte of what waits to be passed on
	stepInsert              // type, version, length: puts a record before it
	stepDrop                // n: drops n bytes
	stepEnd                 // the end of the connection
	stepSend                // n: the side sends a record
	stepRecv                // n: the side receives up to n bytes
	stepPending             //
	stepUnwrap              //
	steps
)

// A side is one end of the connection in a fuzz test.
type side struct {
	t     *testing.T
	s     *ssl.Socket
	relay *socket.Socket // the other end of its socket

	sent                  []byte // by the side
	received              []byte
	came                  []byte // from the other side, to be passed on
	given                 []byte // to the side, as it has been passed on
	ended                 bool   // nothing more can be passed on
	changed               bool   // what has been passed on is not what the other side has sent
	unwrapping, unwrapped bool

	err error // that stays
}

// result checks what an operation returns.
func (x *side) result(err error, data bool) {
	left := len(x.given)
	if !x.unwrapped { // then it is not TLS
		left = len(unread(x.t, x.s.Socket))
	}
	switch {
	case errors.Is(err, ssl.ErrWantRead):
		if left > 0 && !x.unwrapped {
			x.t.Fatalf("%v, but %d bytes are there", err, left)
		}
		if x.ended && runtime.GOOS != "windows" {
			x.t.Fatalf("%v, but nothing can come", err)
		}
	case err == nil && data:
		taken := len(x.given) - left
		end := 0 // of a record
		for end < taken && end+5 <= len(x.given) {
			end += 5 + int(binary.BigEndian.Uint16(x.given[end+3:]))
		}
		if end != taken {
			x.t.Fatalf("%d bytes are taken, the record ends at %d", taken, end)
		}
	case err == nil:
	default:
		_, bad := errors.AsType[*ssl.Error](err)
		if !bad && !errors.Is(err, ssl.ErrEOF) && !gone(err) {
			x.t.Fatalf("error is %v", err)
		}
		x.err = err
	}
}

func (x *side) send(n int) {
	if x.err != nil || x.unwrapping { // after which nothing can be sent
		return
	}
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(len(x.sent) + i)
	}
	sent, err := x.s.Send(p)
	if sent != n && err == nil {
		x.t.Fatalf("sent %d bytes of %d", sent, n)
	}
	x.result(err, false)
	x.sent = append(x.sent, p[:sent]...)
}

func (x *side) recv(n int) (progress bool) {
	if x.unwrapped {
		return false
	}
	pending := x.s.Pending()
	p := make([]byte, n)
	n, err := x.s.Recv(p)
	if pending > 0 && n != min(pending, len(p)) {
		x.t.Fatalf("received %d bytes, %v; %d were pending", n, err, pending)
	}
	x.result(err, n > 0)
	x.received = append(x.received, p[:n]...)
	return n > 0
}

func (x *side) unwrap() {
	if x.err == nil && !x.unwrapped {
		x.unwrapping = true
		_, err := x.s.Unwrap()
		x.unwrapped = err == nil
		if x.result(err, false); x.err != nil && x.s.Pending() > 0 {
			x.err = nil // as there was data
		}
	}
}

// pass gives up to n bytes to the side, as far as there is room, and returns how many.
func (x *side) pass(n int) int {
	n = min(n, len(x.came))
	if n == 0 || x.ended {
		return 0
	}
	n, err := x.relay.Send(x.came[:n])
	if !errors.Is(err, socket.ErrWouldBlock) {
		check(x.t, err)
	}
	x.given = append(x.given, x.came[:n]...)
	x.came = x.came[n:]
	if runtime.GOOS == "windows" {
		readable(x.t, x.s, testkit.Patience)
	}
	return n
}

func (x *side) end() {
	if !x.ended {
		x.ended, x.changed = true, true
		check(x.t, x.relay.Shutdown(socket.SHUT_WR))
	}
}

// FuzzPieces lets a client and a server talk, while somebody between them cuts and changes what they say.
func FuzzPieces(f *testing.F) {
	const up, down = 0, 1
	talk := []byte{stepSend, up, 100, stepAll, down, stepAll, up, stepSend, down, 200, stepAll, up, stepAll, down, stepRecv, up, 10, stepPending, up, stepRecv, down, 255}
	passed := 600
	if runtime.GOOS == "windows" {
		passed = 30 // as each step waits there
	}
	var bytewise []byte
	for range passed {
		bytewise = append(bytewise, stepPass, down, 1, stepPass, up, 1, stepRecv, up, 1, stepRecv, down, 255)
	}
	for version := range byte(2) {
		f.Add(version, []byte{})
		f.Add(version, talk)
		f.Add(version, bytewise)
		f.Add(version, slices.Concat(talk, []byte{stepUnwrap, up, stepUnwrap, down}))
		f.Add(version, slices.Concat(talk, []byte{stepSend, down, 10, stepUnwrap, up, stepAll, up, stepUnwrap, up}))
		f.Add(version, slices.Concat(talk, []byte{stepSend, up, 10, stepChange, down, 7, 1}))
		f.Add(version, slices.Concat(talk, []byte{stepInsert, down, applicationData, 3, 0, stepAll, down}))
		f.Add(version, slices.Concat([]byte{stepSend, up, 1, stepInsert, down, changeCipherSpec, 3, 1}, talk))
		f.Add(version, slices.Concat([]byte{stepSend, up, 1, stepPass, down, 77, stepEnd, down}, talk))
		f.Add(version, slices.Concat([]byte{stepSend, up, 1, stepAll, down, stepRecv, down, 1, stepDrop, up, 3}, talk))
	}
	f.Fuzz(func(t *testing.T, version byte, p []byte) {
		clientConfig, serverConfig := configs(tls.VersionTLS12 + uint16(version%2))
		clientConfig.CurvePreferences = []tls.CurveID{tls.X25519}
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		r := newRelay(t, clientConfig, serverConfig)
		client, server := &side{t: t, s: r.client, relay: r.near}, &side{t: t, s: r.server, relay: r.far}
		sides := []*side{client, server}
		program := testkit.Program(p)
		for len(program) > 0 {
			step := byte(program.Next(int(steps)))
			x := sides[program.Next(2)]
			client.came = append(client.came, r.fromServer(t)...)
			server.came = append(server.came, r.fromClient(t)...)
			switch step {
			case stepPass:
				x.pass(program.Next(256))
			case stepAll:
				x.pass(len(x.came))
			case stepChange:
				pos, mask := program.Next(256), byte(program.Next(256))
				if pos < len(x.came) && mask != 0 {
					x.came[pos] ^= mask
					x.changed = true
				}
			case stepInsert:
				typ, version, size := byte(program.Next(256)), byte(program.Next(256)), program.Next(256)
				x.came = append([]byte{typ, 3, version, 0, byte(size)}, append(make([]byte, size), x.came...)...)
				x.changed = true
			case stepDrop:
				n := min(program.Next(256), len(x.came))
				x.came = x.came[n:]
				x.changed = x.changed || n > 0
			case stepEnd:
				x.end()
			case stepSend:
				x.send(program.Next(256) + 1)
			case stepRecv:
				x.recv(program.Next(256) + 1)
			case stepPending:
				x.s.Pending()
			case stepUnwrap:
				x.unwrap()
			}
		}

		// What has not been passed on is, and received.
		changed := client.changed || server.changed
		for rounds := 0; ; rounds++ {
			progress := false
			for _, x := range sides {
				client.came = append(client.came, r.fromServer(t)...)
				server.came = append(server.came, r.fromClient(t)...)
				progress = x.pass(len(x.came)) > 0 || progress
				progress = x.recv(1<<14) || progress
			}
			if !progress {
				break
			}
			if rounds > 1000+len(p) {
				t.Fatal("there is no end")
			}
		}
		for i, x := range sides {
			other := sides[1-i]
			if !bytes.HasPrefix(other.sent, x.received) {
				t.Fatalf("side %d has received %x, which the other one has not sent", i, x.received)
			}
			if !changed && (x.err != nil || len(x.received) < len(other.sent) && !x.unwrapped) {
				t.Fatalf("side %d has received %d bytes of %d, %v", i, len(x.received), len(other.sent), x.err)
			}
			x.end()
			x.recv(1)
			check(t, x.s.Close())
		}
		if runtime.NumGoroutine() > 100 {
			testkit.Eventually(t, "the end of handshakes", func() bool { return runtime.NumGoroutine() < 100 })
		}
	})
}
