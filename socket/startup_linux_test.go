package socket_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

const startupEnv = "PYSELECT_SOCKET_TEST_STARTUP"

// In a process of its own, before anything has started Go's poller.
func init() {
	if os.Getenv(startupEnv) == "" {
		return
	}
	s, _, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	const limit = 30
	unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit})
	last := -1
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		last = fd
	}
	unix.Close(last)
	_, err = s.NetConn() // for which one descriptor is enough, but not for Go's poller too
	fmt.Println(err)
	s.Settimeout(10 * time.Millisecond)
	_, err = s.Recv(make([]byte, 1))
	fmt.Println(err)
	os.Exit(0)
}

// Go's runtime ends a process that is out of descriptors when the runtime needs its poller for the first time.
func TestStartupOutOfDescriptors(t *testing.T) {
	out, err := testkit.Itself(t, startupEnv+"=1").CombinedOutput()
	const want = "socket.netconn: fd %[1]d: too many open files\nsocket.recv: fd %[1]d: i/o timeout\n"
	var fd int
	fmt.Sscanf(string(out), "socket.netconn: fd %d:", &fd)
	if err != nil || string(out) != fmt.Sprintf(want, fd) {
		t.Errorf("%v: %.300s", err, out)
	}
}
