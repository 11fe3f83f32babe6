//go:build unix

package ssl_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

func init() {
	watchers["PollSelector"] = selects(selectors.NewPollSelector)
	watchers["Poll"] = func(t testing.TB, s *ssl.Socket) func(timeout time.Duration) bool {
		p := pyselect.NewPoll()
		check(t, p.Register(s, pyselect.POLLIN))
		return func(timeout time.Duration) bool { return len(must[[]pyselect.PollEvent](t)(p.Poll(timeout))) > 0 }
	}
}

// limit sets SO_RCVTIMEO and SO_SNDTIMEO.
func limit(t testing.TB, s *ssl.Socket) {
	t.Helper()
	tv := unix.NsecToTimeval((10 * time.Millisecond).Nanoseconds())
	for _, option := range []int{socket.SO_RCVTIMEO, socket.SO_SNDTIMEO} {
		check(t, unix.SetsockoptTimeval(must[int](t)(s.Fileno()), socket.SOL_SOCKET, option, &tv))
	}
}
