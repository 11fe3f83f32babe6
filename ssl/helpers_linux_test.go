package ssl_test

import (
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/ssl"
)

func init() {
	watchers["Epoll"] = func(t testing.TB, s *ssl.Socket) func(timeout time.Duration) bool {
		e := own(t, must[*pyselect.Epoll](t)(pyselect.NewEpoll()))
		check(t, e.Register(s, pyselect.EPOLLIN))
		return func(timeout time.Duration) bool { return len(must[[]pyselect.EpollEvent](t)(e.Poll(timeout, -1))) > 0 }
	}
}
