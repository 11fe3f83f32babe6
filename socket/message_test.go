//go:build unix || windows

package socket_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func buffers(parts ...string) (all [][]byte) {
	for _, part := range parts {
		all = append(all, []byte(part))
	}
	return all
}

func TestMessages(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
			a, b := newSocket(t, n.family, typ), newSocket(t, n.family, typ)
			if typ == socket.SOCK_STREAM {
				a, b = n.connect(t)
			} else {
				check(t, a.Bind(n.any(t)))
				check(t, b.Bind(n.any(t)))
				_, err := a.Sendmsg(buffers("spam", "", " and eggs"), nil, sockname(t, b))
				check(t, err)
				p := [][]byte{make([]byte, 3), nil, make([]byte, 20)}
				n, ancdata, flags, from, err := b.Recvmsg(p, 0)
				check(t, err)
				if got := string(bytes.Join(p, nil)[:n]); got != "spam and eggs" || ancdata != nil || flags != 0 || from != sockname(t, a) {
					t.Errorf("received %q, %v, flags %#x, from %v", got, ancdata, flags, from)
				}
				_, err = a.Sendmsg(buffers("spam and eggs"), nil, sockname(t, b))
				check(t, err)
				n, _, flags, _, err = b.Recvmsg([][]byte{make([]byte, 4)}, 0)
				check(t, err)
				if n != 4 || flags&socket.MSG_TRUNC == 0 {
					t.Errorf("received %d bytes of a longer datagram, flags %#x", n, flags)
				}
				check(t, a.Connect(sockname(t, b)))
			}
			size, err := a.Sendmsg(buffers("ham"), nil, nil)
			check(t, err)
			if size != 3 {
				t.Errorf("sent %d bytes", size)
			}
			wantRecv(t, b, "ham")
		}
	})
}

// A blocking Sendmsg on a stream sends all of all buffers.
func TestSendmsgSendsAll(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	parts := []string{strings.Repeat("spam", tooMuch/4), "", strings.Repeat("eggs", 1<<18), "ham", strings.Repeat("lovely", 1<<17)}
	want := strings.Join(parts, "")
	call := testkit.Go(t, func() {
		if n, err := a.Sendmsg(buffers(parts...), nil, nil); n != len(want) || err != nil {
			t.Errorf("sent %d bytes, %v; want %d", n, err, len(want))
		}
		check(t, a.Shutdown(socket.SHUT_WR))
	}).Blocked()
	got := must[[]byte](t)(io.ReadAll(b))
	call.Wait()
	if string(got) != want {
		t.Errorf("received %d bytes, other ones than the %d sent", len(got), len(want))
	}
}

func TestMessageErrors(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	_, _, _, _, err := a.Recvmsg(nil, -1)
	wantError(t, err, os.ErrInvalid, "socket.recvmsg", "-1")
	_, err = a.Sendmsg(nil, nil, socket.InetAddr{})
	wantError(t, err, os.ErrInvalid, "socket.sendmsg")
	a.Setblocking(false)
	_, _, _, _, err = a.Recvmsg([][]byte{make([]byte, 1)}, 100)
	wantError(t, err, socket.ErrWouldBlock, "socket.recvmsg")
	fill(t, a)
	_, err = a.Sendmsg(buffers("x"), nil, nil)
	wantError(t, err, socket.ErrWouldBlock, "socket.sendmsg")
	check(t, b.Close())
	_, err = a.Sendmsg(buffers("x"), nil, nil)
	wantError(t, err, gone, "socket.sendmsg")
	check(t, a.Close())
	_, err = a.Sendmsg(nil, nil, socket.InetAddr{})
	wantError(t, err, os.ErrClosed)
	_, _, _, _, err = a.Recvmsg(nil, -1)
	wantError(t, err, os.ErrClosed)
}
