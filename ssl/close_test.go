//go:build unix || windows

package ssl_test

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// eachSide runs a test with either side as the first one.
func eachSide(t *testing.T, test func(t *testing.T, a, b *ssl.Socket)) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		test(t, client, server)
		client, server = connect(t, clientConfig, serverConfig)
		test(t, server, client)
	})
}

func unwrap(t testing.TB, s *ssl.Socket) *socket.Socket {
	t.Helper()
	return must[*socket.Socket](t)(s.Unwrap())
}

func wantPlain(t testing.TB, s *socket.Socket, want string) {
	t.Helper()
	buf := make([]byte, 100)
	if readable(t, s, testkit.Patience); true {
		if n, err := s.Recv(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("received %q, %v; want %q", buf[:n], err, want)
		}
	}
}

func TestUnwrap(t *testing.T) {
	eachSide(t, func(t *testing.T, first, second *ssl.Socket) {
		_, err := first.Unwrap()
		wantError(t, err, ssl.ErrWantRead, "ssl.unwrap")
		_, err = first.Send([]byte("spam"))
		if _, ok := errors.AsType[*ssl.Error](err); !ok { // nothing may follow
			t.Errorf("error is %v", err)
		}
		wantRecv(t, second, "")
		b := unwrap(t, second)
		must[int](t)(b.Send([]byte("spam"))) // right behind close_notify
		readable(t, first, testkit.Patience)
		a := unwrap(t, first)
		wantPlain(t, a, "spam")
		must[int](t)(a.Send([]byte("eggs")))
		wantPlain(t, b, "eggs")
		for _, s := range []*ssl.Socket{first, second} {
			wantError(t, s.DoHandshake(), os.ErrClosed, "unwrapped")
			_, err := s.Recv(make([]byte, 1))
			wantError(t, err, os.ErrClosed, "unwrapped")
			_, err = s.Send([]byte("spam"))
			wantError(t, err, os.ErrClosed, "unwrapped")
			_, err = s.Unwrap()
			wantError(t, err, os.ErrClosed, "unwrapped")
			if s.Pending() != 0 {
				t.Error("something is pending")
			}
		}

		// Then comes another connection.
		clientConfig, serverConfig := configs(tls.VersionTLS13)
		client, server := ssl.Client(a, clientConfig, hostname), ssl.Server(b, serverConfig)
		shake(t, client, server)
		send(t, client, "spam")
		wantRecv(t, server, "spam")
	})
}

// Who unwraps does not wait for who receives, but tells the peer.
func TestUnwrapBesideRecv(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		block(a, b)
		receiver := testkit.Go(t, func() { wantRecv(t, a, "") }).Blocked()
		unwrapper := testkit.Go(t, func() { unwrap(t, a) }).Blocked()
		unwrap(t, b)
		receiver.Wait()
		unwrapper.Wait()
	})
}

// What the peer has sent before its close_notify is not lost.
func TestUnwrapBeforeData(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		send(t, b, "0123456789")
		send(t, b, "spam")
		readable(t, a, testkit.Patience)
		late := func() {
			t.Helper()
			for range 2 {
				_, err := a.Unwrap()
				if _, ok := errors.AsType[*ssl.Error](err); !ok {
					t.Errorf("error is %v", err)
				}
				wantError(t, err, err, "ssl.unwrap", "application data")
			}
		}
		late()
		if n := a.Pending(); n != 10 {
			t.Errorf("%d bytes are pending", n)
		}
		buf := make([]byte, 4)
		if n, err := a.Recv(buf); string(buf[:n]) != "0123" || err != nil {
			t.Errorf("received %q, %v", buf[:n], err)
		}
		late()
		wantRecv(t, a, "456789")
		late()
		wantRecv(t, a, "spam")
		_, err := a.Unwrap()
		wantError(t, err, ssl.ErrWantRead)
		wantRecv(t, b, "")
		unwrap(t, b)
		unwrap(t, a)
	})
}

// The close_notify and what follows in plain text are in one packet.
func TestPlainTextBehindCloseNotify(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		r := newRelay(t, clientConfig, serverConfig)
		r.shake(t)
		_, err := r.client.Unwrap()
		wantError(t, err, ssl.ErrWantRead)
		r.toServer(t, append(r.fromClient(t), "plain spam"...))
		wantRecv(t, r.server, "")
		server := unwrap(t, r.server)
		wantPlain(t, server, "plain spam")
		must[int](t)(server.Send([]byte("plain eggs")))
		r.toClient(t, r.fromServer(t))
		wantPlain(t, unwrap(t, r.client), "plain eggs")
	})
}

func TestUnwrapWhenFull(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		data := make([]byte, 1<<14)
		for {
			if _, err := a.Send(data); err != nil {
				wantError(t, err, ssl.ErrWantWrite)
				break
			}
		}
		_, err := a.Unwrap()
		wantError(t, err, ssl.ErrWantWrite, "ssl.unwrap")
		const timeout = 10 * time.Millisecond
		check(t, a.Settimeout(timeout))
		testkit.Duration(t, timeout, func() {
			_, err := a.Unwrap()
			wantError(t, err, os.ErrDeadlineExceeded, "ssl.unwrap")
		})
		block(a, b)
		unwrapper := testkit.Go(t, func() { unwrap(t, a) })
		if _, err := io.Copy(io.Discard, b); err != nil {
			t.Error(err)
		}
		unwrap(t, b)
		unwrapper.Wait()
	})
}

// The socket belongs to the caller after Unwrap.
func TestUnwrappedSocketStays(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	a, b := func() (a, b *socket.Socket) {
		c, d := sockets(t)
		client, server := ssl.Client(c, clientConfig, hostname), ssl.Server(d, serverConfig)
		shake(t, client, server)
		for _, err := range alternate(t,
			task{client, func() (err error) { a, err = client.Unwrap(); return err }},
			task{server, func() (err error) { b, err = server.Unwrap(); return err }},
		) {
			check(t, err)
		}
		return a, b
	}()
	testkit.CollectGarbage(t)
	must[int](t)(a.Send([]byte("spam")))
	wantPlain(t, b, "spam")
}

func TestClose(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		send(t, b, "0123456789")
		readable(t, a, testkit.Patience)
		must[int](t)(a.Recv(make([]byte, 1)))
		check(t, a.Close())
		wantRecv(t, b, "") // without ErrEOF
		_, err := a.Recv(make([]byte, 1))
		wantError(t, err, os.ErrClosed, "ssl.recv")
		_, err = a.Recv(nil)
		wantError(t, err, os.ErrClosed)
		_, err = a.Send([]byte("spam"))
		wantError(t, err, os.ErrClosed, "ssl.send")
		for _, count := range []int64{-1, 0} {
			for _, offset := range []int64{0, 100} {
				_, err = a.Sendfile(testkit.File(t), offset, count)
				wantError(t, err, os.ErrClosed, "ssl.sendfile")
			}
		}
		wantError(t, a.Sendall([]byte("spam")), os.ErrClosed, "ssl.send")
		_, err = a.Read(make([]byte, 1))
		wantError(t, err, os.ErrClosed, "ssl.recv")
		_, err = a.Unwrap()
		wantError(t, err, os.ErrClosed, "ssl.unwrap")
		_, err = a.Detach()
		wantError(t, err, os.ErrClosed)
		if n := a.Pending(); n != 0 {
			t.Errorf("%d bytes are pending", n)
		}
		check(t, a.Close())
	})
}

func TestCloseEndsWaits(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		block(a)
		var calls []*testkit.Call
		for range 2 {
			calls = append(calls,
				testkit.Go(t, func() {
					_, err := a.Recv(make([]byte, 1))
					wantError(t, err, os.ErrClosed, "ssl.recv")
				}).Blocked(),
				testkit.Go(t, func() { wantError(t, a.Sendall(make([]byte, 16<<20)), os.ErrClosed, "ssl.send") }).Blocked())
		}
		check(t, a.Close())
		for _, call := range calls {
			call.Wait()
		}
	})
}

// Close does not wait for a function of the config, which may call it, and ends the context of the handshake.
func TestCloseBesideCallback(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		begun, ended := make(chan struct{}), make(chan struct{})
		serverConfig.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			defer close(ended)
			close(begun)
			<-hello.Context().Done()
			return nil, nil
		}
		client, server := pair(t, clientConfig, serverConfig)
		block(server)
		shake := func() *testkit.Call {
			return testkit.Go(t, func() { wantError(t, server.DoHandshake(), os.ErrClosed, "ssl.do_handshake") }).Blocked()
		}
		first, second := shake(), shake()
		wantError(t, client.DoHandshake(), ssl.ErrWantRead)
		<-begun
		testkit.Go(t, func() { check(t, server.Close()) }).Wait()
		<-ended
		first.Wait()
		second.Wait()

		serverConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, server.Close() }
		client, server = pair(t, clientConfig, serverConfig)
		block(server)
		first = shake()
		wantError(t, client.DoHandshake(), ssl.ErrWantRead)
		first.Wait()
	})
}

// Close does not wait.
func TestCloseWhenFull(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		data := make([]byte, 1<<14)
		for {
			if _, err := a.Send(data); err != nil {
				wantError(t, err, ssl.ErrWantWrite)
				break
			}
		}
		block(a, b)
		check(t, a.Close())
		_, err := io.Copy(io.Discard, b)
		wantError(t, err, ssl.ErrEOF)
	})
}

func TestConcurrentClose(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { check(t, a.Close()) })
			all.Go(func() {
				for {
					if _, err := a.Send([]byte("spam")); err != nil && !errors.Is(err, socket.ErrWouldBlock) {
						wantError(t, err, os.ErrClosed)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// Detach gives the connection away as it is.
func TestDetach(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		fd := must[int](t)(a.Detach())
		s := own(t, must[*socket.Socket](t)(socket.Adopt(fd)))
		must[int](t)(s.Send([]byte("plain")))
		_, err := b.Recv(make([]byte, 10))
		if _, ok := errors.AsType[*ssl.Error](err); !ok {
			wantError(t, err, ssl.ErrWantRead) // a part of a record
		}
		_, err = a.Recv(make([]byte, 1))
		wantError(t, err, os.ErrClosed, "ssl.recv")
	})
}

// An end without close_notify is an error, unless that is not wanted.
func TestRaggedEOF(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for _, cut := range []int{0, 1, 4, 5, 6, 20} { // bytes of a record before the end
			for _, suppress := range []bool{false, true} {
				r := newRelay(t, clientConfig, serverConfig)
				r.server.SuppressRaggedEOFs = suppress
				r.shake(t)
				send(t, r.client, "spam")
				r.toServer(t, r.fromClient(t))
				wantRecv(t, r.server, "spam")
				send(t, r.client, "eggs")
				r.toServer(t, r.fromClient(t)[:cut])
				check(t, r.far.Shutdown(socket.SHUT_WR))
				for range 2 {
					n, err := r.server.Recv(make([]byte, 10))
					if suppress {
						check(t, err)
					} else {
						wantError(t, err, ssl.ErrEOF, "ssl.recv", "close_notify")
					}
					_, err = r.server.Read(make([]byte, 10))
					if want := map[bool]error{false: ssl.ErrEOF, true: io.EOF}[suppress]; n != 0 || !errors.Is(err, want) {
						t.Errorf("received %d bytes, then %v", n, err)
					}
					if !suppress {
						_, err = r.server.Unwrap()
						wantError(t, err, ssl.ErrEOF, "ssl.unwrap")
					}
				}
			}
		}
	})
}

func TestReset(t *testing.T) {
	testkit.NotOnWine(t, "a connection that lingers for no time is not reset")
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for _, before := range []bool{true, false} { // the handshake
			a, b := testkit.TCPPair(t)
			client := own(t, ssl.Client(must[*socket.Socket](t)(socket.FromConn(a)), clientConfig, hostname))
			server := own(t, ssl.Server(must[*socket.Socket](t)(socket.FromConn(b)), serverConfig))
			client.Setblocking(false)
			server.Setblocking(false)
			check(t, a.Close())
			check(t, b.Close())
			if !before {
				shake(t, client, server)
			}
			check(t, client.SetLinger(true, 0))
			check(t, must[*socket.Socket](t)(socket.Adopt(must[int](t)(client.Detach()))).Close())
			err := alternate(t, task{server, func() error { _, err := server.Recv(make([]byte, 1)); return err }})[0]
			wantError(t, err, socket.ErrConnectionReset, "ssl.recv")
			_, err = server.Send([]byte("spam"))
			if !gone(err) {
				t.Errorf("error is %v", err)
			}
		}
	})
}

// A record that is on its way when the connection ends does not matter any more.
func TestEndOfConnectionWhenFull(t *testing.T) {
	eachSide(t, func(t *testing.T, a, b *ssl.Socket) {
		data := make([]byte, 1<<14)
		for {
			if _, err := a.Send(data); err != nil {
				wantError(t, err, ssl.ErrWantWrite)
				break
			}
		}
		check(t, b.Close())
		err := alternate(t, task{a, func() error { _, err := a.Send(data); return err }})[0]
		for range 2 {
			if !gone(err) {
				t.Errorf("error is %v", err)
			}
			_, err = a.Send([]byte("spam"))
		}
	})
}
