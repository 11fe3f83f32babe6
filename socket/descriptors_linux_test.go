package socket_test

import (
	"os"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// An operation that waits needs a descriptor for Go's poller. If there is none, it waits nevertheless, as recv(2) does.
func TestWaitWithoutDescriptors(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, a, b *socket.Socket){
		"receives": func(t *testing.T, a, b *socket.Socket) {
			received := testkit.Go(t, func() {
				buf := make([]byte, 10)
				if n, err := a.Recv(buf); err != nil || string(buf[:n]) != "eggs" {
					t.Errorf("received %q, %v", buf[:n], err)
				}
			}).Blocked()
			check(t, b.Sendall([]byte("eggs")))
			received.Wait()
		},
		"sends": func(t *testing.T, a, b *socket.Socket) {
			data := make([]byte, 10<<20)
			sent := testkit.Go(t, func() { check(t, a.Sendall(data)) }).Blocked()
			buf := make([]byte, 64<<10)
			for received := 0; received < len(data); {
				n, err := b.Recv(buf)
				if check(t, err); n == 0 {
					t.Fatalf("the end came after %d bytes", received)
				}
				received += n
			}
			sent.Wait()
		},
		"timeout": func(t *testing.T, a, _ *socket.Socket) {
			const timeout = 30 * time.Millisecond
			check(t, a.Settimeout(timeout))
			testkit.Duration(t, timeout, func() {
				_, err := a.Recv(make([]byte, 1))
				wantError(t, err, os.ErrDeadlineExceeded, "socket.recv: fd ")
			})
		},
		"close": func(t *testing.T, a, _ *socket.Socket) {
			closed := testkit.Go(t, func() {
				_, err := a.Recv(make([]byte, 1))
				wantError(t, err, os.ErrClosed, "socket.recv: ")
			}).Blocked()
			check(t, a.Close())
			closed.Wait()
		},
		"shutdown": func(t *testing.T, a, _ *socket.Socket) {
			ended := testkit.Go(t, func() {
				if n, err := a.Recv(make([]byte, 1)); n != 0 || err != nil {
					t.Errorf("received %d bytes, %v", n, err)
				}
			}).Blocked()
			check(t, a.Shutdown(socket.SHUT_RD))
			ended.Wait()
		},
	} {
		for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
			if name == "sends" && typ == socket.SOCK_DGRAM {
				continue
			}
			t.Run(name+" "+map[int]string{socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagrams"}[typ], func(t *testing.T) {
				testkit.NoLeaks(t)
				a, b, err := socket.Socketpair(socket.AF_UNIX, typ, 0)
				check(t, err)
				defer a.Close()
				defer b.Close()
				testkit.NoMoreFds(t, 1) // which is what a look at one socket takes
				test(t, a, b)
			})
		}
	}
}

// When there are descriptors again, an operation waits as others do.
func TestWaitWithDescriptorsAgain(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	fds := len(testkit.OpenFds())
	var received *testkit.Call
	t.Run("without", func(t *testing.T) {
		testkit.NoMoreFds(t, 1)
		received = testkit.Go(t, func() { wantRecv(t, a, "eggs") }).Blocked()
	})
	testkit.Eventually(t, "a descriptor of Go's poller", func() bool { return len(testkit.OpenFds()) > fds })
	send(t, b, "eggs")
	received.Wait()
}
