package socket_test

import (
	"bytes"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// A Connect that cannot find out whether it has come to an end says so, and does not wait for that.
func TestConnectCannotAsk(t *testing.T) {
	testkit.NoLeaks(t)
	_, addr := networks[0].crowded(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	testkit.Fault{Call: unix.SYS_PPOLL, Errno: unix.ENOSYS}.Run(t, func() {
		wantError(t, s.Connect(addr), unix.ENOSYS, "socket.connect")
	})
}

// The kernel says EAGAIN for urgent data that it has heard of, and that has not come.
func TestUrgentDataOnItsWay(t *testing.T) {
	testkit.NoLeaks(t)
	client, _ := networks[0].connect(t)
	testkit.Fault{Call: unix.SYS_RECVFROM, Errno: unix.EAGAIN}.Run(t, func() {
		_, err := client.Recv(make([]byte, 1), socket.MSG_OOB)
		wantError(t, err, socket.ErrWouldBlock, "socket.recv")
	})
}

// A call of a descriptor that somebody else has made blocking is interrupted if it has a timeout of the kernel's, whatever SA_RESTART says.
func TestSignalsInterruptNoBlockedCall(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	limit(t, a, socket.SO_RCVTIMEO, time.Hour)
	makeBlocking(t, fileno(t, a))
	id := make(chan int)
	call := testkit.Go(t, func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		id <- unix.Gettid()
		wantRecv(t, a, "spam")
	})
	thread := <-id
	for range 10 {
		call.Blocked()
		check(t, unix.Tgkill(unix.Getpid(), thread, unix.SIGURG))
	}
	send(t, b, "spam")
	call.Wait()
}

// A sandbox may refuse sendfile(2). Sendfile sends all the same.
func TestSendfileRefused(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("the system call is another one, sendfile64")
	}
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			testkit.NoLeaks(t)
			a, b := pair(t)
			testkit.Fault{Call: unix.SYS_SENDFILE, Errno: errno}.Run(t, func() {
				if n, err := a.Sendfile(testkit.File(t), 3, -1); n != 4 || err != nil {
					t.Errorf("Sendfile returned %d, %v", n, err)
				}
			})
			buf := make([]byte, 9)
			if n, err := b.Recv(buf); err != nil || !bytes.Equal(buf[:n], []byte("tent")) {
				t.Errorf("received %q, %v", buf[:n], err)
			}
		})
	}
}
