//go:build unix || windows

package ssl_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// Records that arrive in one packet are received one by one, and a selector sees each until it has been received.
func TestOneRecordAtATime(t *testing.T) {
	eachWatcher(t, func(t *testing.T, watch watcher) {
		eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
			r := newRelay(t, clientConfig, serverConfig)
			r.shake(t)
			for _, data := range []string{"spam", "and", "eggs"} {
				send(t, r.client, data)
			}
			check(t, r.client.Close())
			all := r.fromClient(t)
			r.toServer(t, all)
			wait := watch(t, r.server)
			for _, want := range []string{"spam", "and", "eggs", ""} {
				if !wait(testkit.Patience) {
					t.Errorf("%q is not seen", want)
				}
				wantRecv(t, r.server, want)
				if n := r.server.Pending(); n != 0 {
					t.Errorf("%d bytes are pending", n)
				}
				all = all[5+int(all[3])<<8+int(all[4]):]
				if left := unread(t, r.server.Socket); len(left) != len(all) {
					t.Errorf("%d bytes are left in the kernel, want %d", len(left), len(all))
				}
				if wait(0) != (len(all) > 0) {
					t.Errorf("after %q, it is readable: %t", want, len(all) == 0)
				}
			}
		})
	})
}

// A part of a record is seen, and then waited for.
func TestPartOfARecord(t *testing.T) {
	eachWatcher(t, func(t *testing.T, watch watcher) {
		eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
			r := newRelay(t, clientConfig, serverConfig)
			r.shake(t)
			send(t, r.client, "spam")
			wait := watch(t, r.server)
			all := r.fromClient(t)
			for i, b := range all {
				if wait(0) {
					t.Fatalf("readable after %d bytes", i)
				}
				r.toServer(t, []byte{b})
				if !wait(testkit.Patience) {
					t.Fatalf("byte %d is not seen", i)
				}
				if i < len(all)-1 {
					wantNothing(t, r.server)
				}
			}
			wantRecv(t, r.server, "spam")
		})
	})
}

// Data that comes in one packet with the end of the handshake is seen.
func TestDataBehindHandshake(t *testing.T) {
	eachWatcher(t, func(t *testing.T, watch watcher) {
		eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
			r := newRelay(t, clientConfig, serverConfig)
			first, second := r.client, r.server // who sends the last message, and who receives it
			toFirst, toSecond, fromFirst, fromSecond := r.toClient, r.toServer, r.fromClient, r.fromServer
			if clientConfig.MaxVersion == tls.VersionTLS12 {
				first, second = second, first
				toFirst, toSecond, fromFirst, fromSecond = toSecond, toFirst, fromSecond, fromFirst
				wantError(t, r.client.DoHandshake(), ssl.ErrWantRead)
				r.toServer(t, r.fromClient(t))
			}
			for first.DoHandshake() != nil {
				toSecond(t, fromFirst(t))
				wantError(t, second.DoHandshake(), ssl.ErrWantRead)
				toFirst(t, fromSecond(t))
			}
			send(t, first, "spam")
			wait := watch(t, second)
			toSecond(t, fromFirst(t))
			if !wait(testkit.Patience) {
				t.Error("the handshake is not seen")
			}
			check(t, second.DoHandshake())
			if second.Pending() != 0 || !wait(testkit.Patience) {
				t.Error("the data is not seen")
			}
			wantRecv(t, second, "spam")
			if wait(0) {
				t.Error("readable")
			}
		})
	})
}

// Session tickets are no data, but they are there to be read.
func TestTicketsAreSeen(t *testing.T) {
	eachWatcher(t, func(t *testing.T, watch watcher) {
		testkit.NoLeaks(t)
		clientConfig, serverConfig := configs(tls.VersionTLS13)
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		client, _ := connect(t, clientConfig, serverConfig)
		wait := watch(t, client)
		if !wait(testkit.Patience) {
			t.Error("the ticket is not seen")
		}
		wantNothing(t, client)
		if wait(0) {
			t.Error("readable")
		}
	})
}

// An echo server and its clients are in one loop.
func TestLoop(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	sel := own(t, must[*selectors.DefaultSelector](t)(selectors.NewDefaultSelector()))
	listener := own(t, ssl.Server(must[*socket.Socket](t)(socket.CreateServer("127.0.0.1:0", nil)), serverConfig))
	listener.Setblocking(false)
	must[*selectors.SelectorKey](t)(sel.Register(listener, selectors.EventRead, nil))
	addr, err := listener.Getsockname()
	check(t, err)

	const clients = 20
	data := strings.Repeat("spam and eggs", 30000)
	type state struct {
		client bool
		out    []byte // to be sent
		in     int    // received
	}
	for range clients {
		sock := must[*socket.Socket](t)(socket.New(socket.AF_INET, socket.SOCK_STREAM, 0))
		sock.Setblocking(false)
		if err := sock.Connect(addr); err != nil {
			wantError(t, err, socket.ErrInProgress)
		}
		client := own(t, ssl.Client(sock, clientConfig, hostname))
		must[*selectors.SelectorKey](t)(sel.Register(client, selectors.EventWrite, &state{client: true, out: []byte(data)}))
	}
	buf := make([]byte, 1<<14)
	done := 0
	// step does what is possible, and returns what to wait for.
	step := func(s *ssl.Socket, state *state) (events selectors.Event) {
		for {
			events = 0
			if len(state.out) > 0 {
				n, err := s.Send(state.out)
				switch state.out = state.out[n:]; {
				case errors.Is(err, ssl.ErrWantRead):
					return selectors.EventRead
				case errors.Is(err, ssl.ErrWantWrite):
					events |= selectors.EventWrite
				default:
					check(t, err)
				}
			}
			n, err := s.Recv(buf)
			switch {
			case errors.Is(err, ssl.ErrWantRead):
				if events |= selectors.EventRead; len(state.out) == 0 || events&selectors.EventWrite != 0 {
					return events
				}
				continue
			case errors.Is(err, ssl.ErrWantWrite):
				return selectors.EventWrite
			}
			if check(t, err); n == 0 {
				return 0
			}
			if state.in += n; !state.client {
				state.out = append(state.out, buf[:n]...)
			} else if state.in == len(data) {
				done++
				return 0
			}
		}
	}
	for done < clients {
		ready := must[[]selectors.Ready](t)(sel.Select(testkit.Patience))
		if len(ready) == 0 {
			t.Fatalf("nothing happens, %d clients are done", done)
		}
		for _, r := range ready {
			s := r.Key.Fileobj.(*ssl.Socket)
			if s == listener {
				server, _, err := listener.Accept()
				check(t, err)
				own(t, server).Setblocking(false)
				must[*selectors.SelectorKey](t)(sel.Register(server, selectors.EventRead, new(state)))
				continue
			}
			events := step(s, r.Key.Data.(*state))
			if events == 0 {
				must[*selectors.SelectorKey](t)(sel.Unregister(s))
				check(t, s.Close())
			} else {
				must[*selectors.SelectorKey](t)(sel.Modify(s, events, r.Key.Data))
			}
		}
	}
}
