//go:build unix || windows

package socket_test

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// Close ends an operation wherever that is on its way to wait.
func TestCloseOnTheWay(t *testing.T) {
	testkit.NoLeaks(t)
	l := own(t, must[*socket.Socket](t)(socket.CreateServer("127.0.0.1:0", nil)))
	for round := range 2000 {
		s := must[*socket.Socket](t)(l.Dup())
		var begun atomic.Bool
		var accept sync.WaitGroup
		accept.Go(func() {
			begun.Store(true)
			_, _, err := s.Accept()
			wantError(t, err, os.ErrClosed, "socket.accept: ")
		})
		for !begun.Load() {
			runtime.Gosched()
		}
		for range round { // for about as long as it takes until Accept waits
		}
		check(t, s.Close())
		accept.Wait()
	}
}
