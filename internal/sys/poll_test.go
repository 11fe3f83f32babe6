//go:build unix

package sys_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

var poll = ask{"Poll", sys.Poll}

func init() { asks = append(asks, poll) }

// To Poll, a descriptor that is not open is a result like others.
func TestPollClosed(t *testing.T) {
	testkit.NotOn(t, "dragonfly", "events beside that of a descriptor that is not open")
	testkit.NoLeaks(t)
	a, _ := sockets(t)
	poll.found(t, []sys.PollFd{sys.Entry(closed(t, a, 0), sys.In), sys.Entry(a, sys.In), sys.Entry(1<<30, sys.Out), sys.Entry(-1, sys.In)},
		unix.POLLNVAL, sys.In, unix.POLLNVAL, 0)
}

func TestFindsUrgentData(t *testing.T) {
	testkit.NoLeaks(t)
	var fds [2]int
	client, server := testkit.TCPPair(t)
	for i, c := range []interface{ File() (*os.File, error) }{client, server} {
		f, err := c.File()
		check(t, err)
		defer f.Close()
		fds[i] = int(f.Fd())
	}
	check(t, unix.Sendto(fds[0], []byte("!"), unix.MSG_OOB, nil))
	for _, ask := range asks {
		ask.found(t, []sys.PollFd{sys.Entry(fds[1], sys.Pri), sys.Entry(fds[0], sys.Pri)}, sys.Pri, 0)
	}
}
