//go:build unix || windows

package socket_test

import (
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func TestSelectors(t *testing.T) {
	eachSelector(t, func(t *testing.T, sel selectors.BaseSelector) {
		const connections, rounds = 20, 5
		server := own(t, must[*socket.Socket](t)(socket.CreateServer("127.0.0.1:0", nil)))
		server.Setblocking(false)
		must[*selectors.SelectorKey](t)(sel.Register(server, selectors.EventRead, nil))
		before := testkit.OpenFds()
		client := testkit.Go(t, func() {
			for range connections {
				s := must[*socket.Socket](t)(socket.CreateConnection(sockname(t, server).String(), nil))
				for range rounds {
					send(t, s, "spam")
					wantRecv(t, s, "spam")
				}
				check(t, s.Close())
			}
		})
		accepted, closed := 0, 0
		buf := make([]byte, 100)
		for closed < connections {
			for _, ready := range must[[]selectors.Ready](t)(sel.Select(testkit.Patience)) {
				s := ready.Key.Fileobj.(*socket.Socket)
				if s == server {
					conn, _, err := server.Accept()
					check(t, err)
					conn.Setblocking(false)
					must[*selectors.SelectorKey](t)(sel.Register(conn, selectors.EventRead, nil))
					accepted++
					continue
				}
				n := must[int](t)(s.Recv(buf))
				if n > 0 {
					send(t, s, string(buf[:n]))
					continue
				}
				must[*selectors.SelectorKey](t)(sel.Unregister(s))
				check(t, s.Close())
				closed++
			}
		}
		client.Wait()
		if accepted != connections {
			t.Errorf("accepted %d connections, want %d", accepted, connections)
		}
		check(t, sel.Close()) // which may have opened some to wait
		if fds := newFds(before); len(fds) != 0 {
			t.Errorf("non-blocking sockets have left %d", fds)
		}
	})
}

func TestSelectorWaitsForSocket(t *testing.T) {
	eachSelector(t, func(t *testing.T, sel selectors.BaseSelector) {
		a, b := pair(t)
		fill(t, a)
		must[*selectors.SelectorKey](t)(sel.Register(a, selectors.EventRead|selectors.EventWrite, nil))
		for _, step := range []struct {
			cause func()
			want  selectors.Event
			then  func()
		}{
			{func() { send(t, b, "spam") }, selectors.EventRead, func() { wantRecv(t, a, "spam") }},
			{func() { testkit.Drain(t, fileno(t, b)) }, selectors.EventWrite, func() {}},
		} {
			call := testkit.Go(t, func() {
				ready := must[[]selectors.Ready](t)(sel.Select(testkit.Patience))
				if len(ready) != 1 || ready[0].Key.Fileobj != a || ready[0].Events != step.want {
					t.Errorf("ready: %v, want the socket for %v", ready, step.want)
				}
			}).Blocked()
			step.cause()
			call.Wait()
			step.then()
		}
	})
}

// One goroutine waits in the socket, so that Go's poller watches a duplicate, another in the selector.
func TestSelectorBesideWaiter(t *testing.T) {
	eachSelector(t, func(t *testing.T, sel selectors.BaseSelector) {
		a, b := pair(t)
		reader := testkit.Go(t, func() { wantRecv(t, a, "spam") }).Blocked()
		must[*selectors.SelectorKey](t)(sel.Register(b, selectors.EventRead, nil))
		waiter := testkit.Go(t, func() {
			if ready := must[[]selectors.Ready](t)(sel.Select(testkit.Patience)); len(ready) != 1 {
				t.Errorf("ready: %v, want one", ready)
			}
		}).Blocked()
		send(t, b, "spam")
		reader.Wait()
		send(t, a, "eggs")
		waiter.Wait()
		wantRecv(t, b, "eggs")
	})
}
