//go:build unix

package socket_test

import (
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

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
		if isInherited(t, fd) {
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

// The descriptors of a message that is sent in parts come once.
func TestRightsOfALongMessage(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	a, b := pair(t)
	items := []socket.ControlMessage{socket.Rights(r, w)}
	if runtime.GOOS == "linux" { // other systems may take one item only
		items = []socket.ControlMessage{socket.Rights(r), socket.Rights(w)}
	}
	call := testkit.Go(t, func() {
		n, err := a.Sendmsg([][]byte{make([]byte, tooMuch)}, items, nil)
		check(t, err)
		if n != tooMuch {
			t.Errorf("sent %d bytes, want %d", n, tooMuch)
		}
		check(t, a.Shutdown(socket.SHUT_WR))
	}).Blocked()
	var fds []int
	buf := make([]byte, 1<<16)
	for n := -1; n != 0; {
		var ancdata []socket.ControlMessage
		var err error
		n, ancdata, _, _, err = b.Recvmsg([][]byte{buf}, socket.CMSG_SPACE(64))
		check(t, err)
		for _, m := range ancdata {
			fds = append(fds, m.Fds()...)
		}
	}
	call.Wait()
	for _, fd := range fds {
		unix.Close(fd)
	}
	if len(fds) != 2 {
		t.Errorf("received the descriptors %d, want two", fds)
	}
}

func TestRightsOfAClosedDescriptor(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := pair(t)
	_, err := a.Sendmsg(buffers("x"), []socket.ControlMessage{socket.Rights(testkit.ClosedFd(t, 500))}, nil)
	wantError(t, err, unix.EBADF, "socket.sendmsg")
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
