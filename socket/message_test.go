//go:build unix

package socket_test

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
	parts := []string{strings.Repeat("spam", 1<<18), "", strings.Repeat("eggs", 1<<18), "ham", strings.Repeat("lovely", 1<<17)}
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

// sendRights sends descriptors, and returns those that the other end receives with a buffer for ancillary data of some size. They are the
// caller's.
func sendRights(t *testing.T, size int, fds ...int) (received []int, flags int) {
	t.Helper()
	a, b := pair(t)
	n, err := a.Sendmsg(buffers("x"), []socket.ControlMessage{socket.Rights(fds...)}, nil)
	check(t, err)
	if n != 1 {
		t.Fatalf("sent %d bytes", n)
	}
	n, ancdata, flags, _, err := b.Recvmsg([][]byte{make([]byte, 10)}, size)
	check(t, err)
	if n != 1 {
		t.Fatalf("received %d bytes", n)
	}
	for _, m := range ancdata {
		received = append(received, m.Fds()...)
	}
	return received, flags
}

func TestRights(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	fds, flags := sendRights(t, socket.CMSG_SPACE(8), r, w)
	if len(fds) != 2 || slices.Contains(fds, r) || slices.Contains(fds, w) || flags != 0 {
		t.Fatalf("received the descriptors %d, flags %#x", fds, flags)
	}
	for _, fd := range fds {
		defer unix.Close(fd)
		if flags := must[int](t)(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d is inherited", fd)
		}
	}
	testkit.Write(t, fds[1], "spam")
	if got := testkit.Drain(t, r); got != "spam" {
		t.Errorf("what was written to the received pipe is %q", got)
	}
}

// What there is no room for is reported, and not left open.
func TestRightsTruncated(t *testing.T) {
	testkit.NotEmulated(t, "MSG_CTRUNC")
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	before := testkit.OpenFds()
	for size, want := range map[int]int{0: 0, socket.CMSG_LEN(4): 1, socket.CMSG_LEN(4) + 3: 1} {
		fds, flags := sendRights(t, size, r, w, r)
		if runtime.GOOS != "linux" && len(fds) <= want { // other systems may discard all, and say nothing if there is no room at all
			want, flags = len(fds), flags|socket.MSG_CTRUNC
		}
		if len(fds) != want || flags&socket.MSG_CTRUNC == 0 {
			t.Errorf("with room for %d bytes, received the descriptors %d, flags %#x; want %d, MSG_CTRUNC", size, fds, flags, want)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	if fds := newFds(before); len(fds) != 6 { // the pairs
		t.Errorf("%d are left open", fds)
	}
}

func TestMessageErrors(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	_, _, _, _, err := a.Recvmsg(nil, -1)
	wantError(t, err, os.ErrInvalid, "socket.recvmsg", "-1")
	_, err = a.Sendmsg(nil, nil, socket.InetAddr{})
	wantError(t, err, os.ErrInvalid, "socket.sendmsg")
	_, err = a.Sendmsg(buffers("x"), []socket.ControlMessage{socket.Rights(testkit.ClosedFd(t, 500))}, nil)
	wantError(t, err, unix.EBADF, "socket.sendmsg")
	a.Setblocking(false)
	_, _, _, _, err = a.Recvmsg([][]byte{make([]byte, 1)}, 100)
	wantError(t, err, socket.ErrWouldBlock, "socket.recvmsg")
	fill(t, a)
	_, err = a.Sendmsg(buffers("x"), nil, nil)
	wantError(t, err, socket.ErrWouldBlock, "socket.sendmsg")
	check(t, b.Close())
	_, err = a.Sendmsg(buffers("x"), nil, nil)
	wantError(t, err, socket.ErrBrokenPipe, "socket.sendmsg")
	check(t, a.Close())
	_, err = a.Sendmsg(nil, nil, socket.InetAddr{})
	wantError(t, err, os.ErrClosed)
	_, _, _, _, err = a.Recvmsg(nil, -1)
	wantError(t, err, os.ErrClosed)
}

func TestControlMessage(t *testing.T) {
	for _, fds := range [][]int{nil, {0}, {1, 2, 3}} {
		if got := socket.Rights(fds...).Fds(); !slices.Equal(got, fds) {
			t.Errorf("Rights(%d) has %d", fds, got)
		}
	}
	other := socket.ControlMessage{Level: socket.SOL_SOCKET, Type: -1, Data: make([]byte, 4)}
	if fds := other.Fds(); fds != nil {
		t.Errorf("another message has the descriptors %d", fds)
	}
}
