//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// A client and its server are in one goroutine.
func TestAlternately(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		send(t, client, "spam")
		wantRecv(t, server, "spam")
		send(t, server, "eggs")
		wantRecv(t, client, "eggs")
		wantNothing(t, client)
		wantNothing(t, server)
		for _, err := range alternate(t,
			task{client, func() error { _, err := client.Unwrap(); return err }},
			task{server, func() error { _, err := server.Unwrap(); return err }},
		) {
			check(t, err)
		}
	})
}

// The first operation does the handshake, whichever that is.
func TestHandshakeOfOtherOperations(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := pair(t, clientConfig, serverConfig)
		buf := make([]byte, 100)
		var n int
		for _, err := range alternate(t,
			task{client, func() error { _, err := client.Send([]byte("spam")); return err }},
			task{server, func() (err error) { n, err = server.Recv(buf); return err }},
		) {
			check(t, err)
		}
		if string(buf[:n]) != "spam" {
			t.Errorf("received %q", buf[:n])
		}
	})
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := pair(t, clientConfig, serverConfig)
		block(client, server)
		other := testkit.Go(t, func() { check(t, client.Sendall([]byte("spam"))) }).Blocked()
		wantRecv(t, server, "spam")
		other.Wait()
		check(t, client.DoHandshake()) // is done
	})
}

// Goroutines that wait for the handshake do not wait for each other afterwards.
func TestFirstUseFromManyGoroutines(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for range 20 {
			client, server := pair(t, clientConfig, serverConfig)
			block(client, server)
			receive := testkit.Go(t, func() { wantRecv(t, client, "eggs") }).Blocked()
			handshake := testkit.Go(t, func() { check(t, client.DoHandshake()) }).Blocked()
			request := testkit.Go(t, func() { send(t, client, "spam") }).Blocked()
			answer := testkit.Go(t, func() {
				wantRecv(t, server, "spam")
				send(t, server, "eggs")
			})
			handshake.Wait()
			request.Wait()
			receive.Wait()
			answer.Wait()
		}
	})
}

// The same when they come while the handshake ends.
func TestFirstUseBesideTheHandshake(t *testing.T) {
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	for range 300 {
		client, server := pair(t, clientConfig, serverConfig)
		block(client, server)
		calls := []*testkit.Call{
			testkit.Go(t, func() { wantRecv(t, server, "spam"); send(t, server, "eggs") }),
			testkit.Go(t, func() { wantRecv(t, client, "eggs") }),
		}
		for range 4 {
			calls = append(calls, testkit.Go(t, func() { check(t, client.DoHandshake()) }))
		}
		calls = append(calls, testkit.Go(t, func() { send(t, client, "spam") }))
		for _, call := range calls {
			call.Wait()
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for round := range 12 {
			client, server := pair(t, clientConfig, serverConfig)
			check(t, client.Settimeout([]time.Duration{time.Millisecond, 0, testkit.Patience}[round%3]))
			check(t, server.Settimeout([]time.Duration{testkit.Patience, time.Millisecond}[round%2]))
			var all sync.WaitGroup
			received := make(chan struct{}, 1000)
			use := func(f func() error) {
				all.Go(func() {
					for {
						err := f()
						switch {
						case err == nil:
						case errors.Is(err, os.ErrClosed):
							return
						case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, socket.ErrWouldBlock):
							runtime.Gosched()
						case errors.Is(err, ssl.ErrEOF), errors.Is(err, socket.ErrBrokenPipe), errors.Is(err, socket.ErrConnectionReset),
							runtime.GOOS == "freebsd" && errors.Is(err, socket.ErrNotConnected):
							return // the peer is closed
						default:
							t.Errorf("error is %v", err)
							return
						}
					}
				})
			}
			for _, s := range []*ssl.Socket{client, server} {
				closed := false // by the peer
				use(s.DoHandshake)
				use(func() error {
					n, err := s.Recv(make([]byte, 10))
					if n > 0 {
						select {
						case received <- struct{}{}:
						default:
						}
					}
					if n == 0 && err == nil && !closed {
						closed = true
						s.Close()
					}
					return err
				})
				use(func() error { _, err := s.Send([]byte("spam")); return err })
				use(func() error {
					s.Pending()
					s.Version()
					_ = s.String()
					runtime.Gosched()
					_, err := s.Fileno()
					return err
				})
			}
			for range round {
				<-received
			}
			all.Go(func() { client.Close() })
			all.Go(func() { server.Close() })
			all.Wait()
		}
	})
}

func TestHandshakeTimeout(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		const timeout = 30 * time.Millisecond
		client, server := pair(t, clientConfig, serverConfig)
		check(t, client.Settimeout(timeout))
		check(t, server.Settimeout(timeout))
		testkit.Duration(t, timeout, func() { wantError(t, server.DoHandshake(), os.ErrDeadlineExceeded, "ssl.do_handshake") })
		testkit.Duration(t, timeout, func() {
			_, err := client.Recv(make([]byte, 1))
			wantError(t, err, os.ErrDeadlineExceeded, "ssl.recv")
		})
		client.Setblocking(false)
		server.Setblocking(false)
		shake(t, client, server) // goes on where it was
	})
}

// A peer that is slow does not extend a timeout.
func TestDripDoesNotExtendTimeout(t *testing.T) {
	testkit.NoLeaks(t)
	const timeout = 100 * time.Millisecond
	drip := func(t *testing.T, s *ssl.Socket, to *socket.Socket, f func() error) {
		t.Helper()
		check(t, s.Settimeout(timeout))
		ended := make(chan struct{})
		call := testkit.Go(t, func() {
			defer close(ended)
			testkit.Duration(t, timeout, func() { wantError(t, f(), os.ErrDeadlineExceeded) })
		})
		typ := byte(handshake)
		if s.Version() != "" {
			typ = applicationData
		}
		for _, b := range record(typ, make([]byte, 1<<14)...) { // which takes a minute to arrive
			must[int](t)(to.Send([]byte{b}))
			select {
			case <-ended:
				call.Wait()
				return
			case <-time.After(4 * time.Millisecond):
			}
		}
		t.Error("the operation has waited for all of the record")
	}
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	t.Run("DoHandshake", func(t *testing.T) {
		r := newRelay(t, clientConfig, serverConfig)
		drip(t, r.server, r.far, r.server.DoHandshake)
	})
	t.Run("Recv", func(t *testing.T) {
		r := newRelay(t, clientConfig, serverConfig)
		r.shake(t)
		drip(t, r.server, r.far, func() error { _, err := r.server.Recv(make([]byte, 10)); return err })
	})
	t.Run("Unwrap", func(t *testing.T) {
		r := newRelay(t, clientConfig, serverConfig)
		r.shake(t)
		drip(t, r.server, r.far, func() error { _, err := r.server.Unwrap(); return err })
	})
}

// A timeout is for the whole operation, also if it first wants to write and then to read.
func TestTimeoutIsOfBothDirections(t *testing.T) {
	testkit.NoLeaks(t)
	const timeout = time.Second
	clientConfig, _ := configs(tls.VersionTLS13)
	a, b := sockets(t)
	fill(t, a)
	client := own(t, ssl.Client(a, clientConfig, hostname))
	check(t, client.Settimeout(timeout))
	call := testkit.Go(t, func() {
		took := testkit.Duration(t, timeout, func() { wantError(t, client.DoHandshake(), os.ErrDeadlineExceeded) })
		if took > timeout*17/10 {
			t.Errorf("took %v, the timeout is %v", took, timeout)
		}
	})
	<-time.After(timeout * 9 / 10)
	take(t, b)
	call.Wait()
}

// fill sends until nothing more fits in, and returns how many bytes that were.
func fill(t testing.TB, s *socket.Socket) int {
	t.Helper()
	return testkit.Fill(t, must[int](t)(s.Fileno()))
}

// Who waits to read in the handshake learns that another goroutine has read, and left something to write.
func TestWaiterGoesOnWhereOthersStop(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for range 10 {
			r := newRelay(t, clientConfig, serverConfig)
			wantError(t, r.client.DoHandshake(), ssl.ErrWantRead)
			hello := r.fromClient(t)
			block(r.server)
			handshake := testkit.Go(t, func() { check(t, r.server.DoHandshake()) }).Blocked()
			r.server.Setblocking(false)
			before := fill(t, r.server.Socket)
			r.toServer(t, hello)
			testkit.Eventually(t, "the answer", func() bool { return errors.Is(r.server.DoHandshake(), ssl.ErrWantWrite) })
			r.far.Setblocking(true)
			must[int](t)(io.ReadFull(r.far, make([]byte, before)))
			for err := error(ssl.ErrWantRead); err != nil; {
				if !readable(t, r.far, testkit.Patience) {
					t.Fatal("nothing comes from the server")
				}
				r.toClient(t, r.fromServer(t))
				err = r.client.DoHandshake()
				r.toServer(t, r.fromClient(t))
			}
			handshake.Wait()
		}
	})
}

func TestHandshakeWhenFull(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	client, _ := pair(t, clientConfig, serverConfig)
	fill(t, client.Socket)
	for range 2 {
		wantError(t, client.DoHandshake(), ssl.ErrWantWrite, "ssl.do_handshake")
	}
}

// A server that has waited to read waits to write what is more than the kernel takes at once.
func TestLongHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		cert := serverConfig.Certificates[0]
		cert.Certificate = slices.Repeat(cert.Certificate, 200)
		serverConfig.Certificates = []tls.Certificate{cert}
		client, server := pair(t, clientConfig, serverConfig)
		check(t, server.Setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1<<13))
		block(client, server)
		call := testkit.Go(t, func() { check(t, server.DoHandshake()) }).Blocked()
		check(t, client.DoHandshake())
		call.Wait()
	})
}

// A handshake that ends in the middle leaves nothing behind, wherever that is.
func TestEndInTheHandshake(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *ssl.Socket){
		"Close": func(t *testing.T, s *ssl.Socket) { check(t, s.Close()) },
		"Detach": func(t *testing.T, s *ssl.Socket) {
			fd := must[int](t)(s.Detach())
			check(t, must[*socket.Socket](t)(socket.Adopt(fd)).Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
				for steps := range 4 {
					client, server := pair(t, clientConfig, serverConfig)
					for range steps {
						client.DoHandshake()
						server.DoHandshake()
					}
					for _, s := range []*ssl.Socket{client, server} {
						end(t, s)
						wantError(t, s.DoHandshake(), os.ErrClosed, "ssl.do_handshake")
						_, err := s.Recv(make([]byte, 1))
						wantError(t, err, os.ErrClosed, "ssl.recv")
						_, err = s.Send([]byte("spam"))
						wantError(t, err, os.ErrClosed, "ssl.send")
						_, err = s.Unwrap()
						wantError(t, err, os.ErrClosed, "ssl.unwrap")
					}
				}
			})
		})
	}
}

func TestCloseEndsWaitForHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, _ := pair(t, clientConfig, serverConfig)
		_, server := pair(t, clientConfig, serverConfig)
		block(client, server)
		for _, s := range []*ssl.Socket{client, server} {
			var calls []*testkit.Call
			for range 3 {
				calls = append(calls, testkit.Go(t, func() { wantError(t, s.DoHandshake(), os.ErrClosed, "ssl.do_handshake") }).Blocked())
			}
			check(t, s.Close())
			for _, call := range calls {
				call.Wait()
			}
		}
	})
}

// Close comes at any moment of a step.
func TestCloseDuringHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for round := range 100 {
			client, server := pair(t, clientConfig, serverConfig)
			block(client, server)
			var all sync.WaitGroup
			for _, s := range []*ssl.Socket{client, server} {
				all.Go(func() {
					if err := s.DoHandshake(); err != nil && !errors.Is(err, ssl.ErrEOF) && !errors.Is(err, os.ErrClosed) && !gone(err) {
						t.Errorf("error is %v", err)
					}
				})
			}
			time.Sleep(time.Duration(round) * 10 * time.Microsecond) // for about as long as it takes
			client.Close()
			all.Wait()
		}
	})
}

// gone reports whether an error says that the peer has closed its socket.
func gone(err error) bool {
	return errors.Is(err, socket.ErrBrokenPipe) || errors.Is(err, socket.ErrConnectionReset) || errors.Is(err, socket.ErrConnectionAborted)
}

// A Socket that becomes unreachable in the middle of the handshake is closed.
func TestForgottenInTheHandshake(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	a, b := sockets(t)
	c, d := sockets(t)
	func() {
		a, c := duplicate(t, a), duplicate(t, c)
		wantError(t, ssl.Client(a, clientConfig, hostname).DoHandshake(), ssl.ErrWantRead)
		must[int](t)(d.Send([]byte{handshake, 3, 1}))
		wantError(t, ssl.Server(c, serverConfig).DoHandshake(), ssl.ErrWantRead)
	}()
	a.Close()
	c.Close()
	take(t, b)
	testkit.CollectGarbage(t)
	for _, s := range []*socket.Socket{b, d} {
		testkit.Eventually(t, "the end of the connection", func() bool {
			runtime.GC()
			n, err := s.Recv(make([]byte, 1))
			return n == 0 && err == nil || gone(err)
		})
	}
}

// A Socket that was made in a bubble becomes unreachable outside.
func TestForgottenInABubble(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	clientConfig.InsecureSkipVerify = true // it is the year 2000
	synctest.Test(t, func(t *testing.T) {
		for _, config := range []*tls.Config{serverConfig, {}} {
			a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
			check(t, err)
			client, server := ssl.Client(a, clientConfig, hostname), ssl.Server(b, config)
			client.Setblocking(false)
			server.Setblocking(false)
			alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake})
		}
	})
	testkit.CollectGarbage(t)
}

func duplicate(t testing.TB, s *socket.Socket) *socket.Socket {
	t.Helper()
	return must[*socket.Socket](t)(s.Dup())
}

// A callback of the configuration may end its goroutine, as a test does that fails.
func TestCallbackEndsItsGoroutine(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	clientConfig.VerifyConnection = func(tls.ConnectionState) error { runtime.Goexit(); return nil }
	client, server := pair(t, clientConfig, serverConfig)
	err := alternate(t, task{client, client.DoHandshake}, task{server, func() error {
		if err := server.DoHandshake(); !errors.Is(err, ssl.ErrWantRead) {
			return err
		}
		return nil // as it waits in vain
	}})[0]
	if _, ok := errors.AsType[*ssl.Error](err); !ok {
		t.Errorf("error is %v", err)
	}
	if again := client.DoHandshake(); again == nil || again.Error() != err.Error() {
		t.Errorf("error is %v, then %v", err, again)
	}
}

// The error of a callback is an ssl.Error, whatever it is.
func TestErrorOfCallback(t *testing.T) {
	testkit.NoLeaks(t)
	for _, want := range []error{
		errors.New("spam"), os.ErrNotExist, os.ErrClosed, os.ErrInvalid, ssl.ErrEOF,
		&pyselect.OpError{Op: "socket.send", Fd: -1, Err: socket.ErrBrokenPipe},
	} {
		clientConfig, serverConfig := configs(tls.VersionTLS13)
		serverConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, want }
		client, server := pair(t, clientConfig, serverConfig)
		errs := alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake})
		wantError(t, errs[1], want, "ssl.do_handshake")
		if e, ok := errors.AsType[*ssl.Error](errs[1]); !ok || !errors.Is(e.Err, want) {
			t.Errorf("error is %v", errs[1])
		}
		if _, ok := errors.AsType[*ssl.Error](errs[0]); !ok || !strings.Contains(errs[0].Error(), "internal error") {
			t.Errorf("the client's error is %v", errs[0])
		}
	}
}

// Nothing more can be sent, so that the handshake cannot come to an end.
func TestHandshakeAfterShutdown(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, _ := pair(t, clientConfig, serverConfig)
		check(t, client.Shutdown(socket.SHUT_WR))
		for range 2 {
			wantError(t, client.DoHandshake(), socket.ErrBrokenPipe, "ssl.do_handshake")
		}
	})
}

// Many handshakes go on at once, and each gets its client's bytes one by one. They need no threads, and little memory.
func TestManySlowHandshakes(t *testing.T) {
	testkit.NoLeaks(t)
	count := 1000
	switch {
	case testkit.RaceDetector():
		count = 100
	case testkit.OnWine():
		count = 10
	}
	testkit.NeedFds(t, 4*count+200)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	clientConfig.CurvePreferences = []tls.CurveID{tls.X25519} // so that the hello is short
	relays := make([]*relay, count)
	hello := make([][]byte, count)
	for i := range relays {
		relays[i] = newRelay(t, clientConfig, serverConfig)
		wantError(t, relays[i].client.DoHandshake(), ssl.ErrWantRead)
		hello[i] = relays[i].fromClient(t)
	}
	threads, before := pprof.Lookup("threadcreate").Count(), memory()
	drip := func(data [][]byte, done bool) {
		for pos := 0; ; pos++ {
			over := true
			for i, r := range relays {
				if pos >= len(data[i]) {
					continue
				}
				over = false
				must[int](t)(r.far.Send(data[i][pos : pos+1]))
				if pos < len(data[i])-1 || !done {
					wantError(t, r.server.DoHandshake(), ssl.ErrWantRead)
				} else {
					check(t, r.server.DoHandshake())
				}
			}
			if over {
				return
			}
		}
	}
	drip(hello, false)
	if each := (memory() - before) / count; each > 100<<10 {
		t.Errorf("each handshake needs %d bytes", each)
	}
	finished := make([][]byte, count)
	for i, r := range relays {
		r.toClient(t, r.fromServer(t))
		check(t, r.client.DoHandshake())
		finished[i] = r.fromClient(t)
	}
	drip(finished, true)
	if created := pprof.Lookup("threadcreate").Count() - threads; created > 20 {
		t.Errorf("%d threads were created", created)
	}
}

// memory returns how much is in use.
func memory() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

func TestState(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		clientConfig.NextProtos = []string{"spam", "eggs"}
		serverConfig.NextProtos = []string{"eggs"}
		client, server := pair(t, clientConfig, serverConfig)
		nothing := func(s *ssl.Socket) {
			t.Helper()
			state := s.ConnectionState()
			if s.Version() != "" || s.Cipher() != "" || s.Getpeercert() != nil || s.SelectedAlpnProtocol() != "" || s.SessionReused() ||
				s.Pending() != 0 || state.HandshakeComplete || state.Version != 0 {
				t.Errorf("%v knows something before the handshake", s)
			}
		}
		nothing(client)
		nothing(server)
		wantError(t, client.DoHandshake(), ssl.ErrWantRead)
		wantError(t, server.DoHandshake(), ssl.ErrWantRead)
		nothing(client)
		nothing(server)
		if !strings.HasPrefix(client.String(), "<ssl.Socket no handshake <socket.Socket fd=") {
			t.Errorf("it is %v", client)
		}
		shake(t, client, server)
		version := strings.Replace(tls.VersionName(clientConfig.MinVersion), "TLS 1", "TLSv1", 1)
		for _, s := range []*ssl.Socket{client, server} {
			state := s.ConnectionState()
			if s.Version() != version || s.Cipher() != tls.CipherSuiteName(state.CipherSuite) || s.SelectedAlpnProtocol() != "eggs" ||
				s.SessionReused() || s.Pending() != 0 || !state.HandshakeComplete {
				t.Errorf("%v: version %q, cipher %q, protocol %q", s, s.Version(), s.Cipher(), s.SelectedAlpnProtocol())
			}
			if !strings.HasPrefix(s.String(), "<ssl.Socket "+version+" <socket.Socket fd=") {
				t.Errorf("it is %v", s)
			}
		}
		if cert := client.Getpeercert(); cert == nil || !slices.Equal(cert.DNSNames, []string{hostname}) {
			t.Errorf("the certificate is %v", cert)
		}
		if cert := server.Getpeercert(); cert != nil {
			t.Errorf("the client's certificate is %v", cert)
		}
		if client.ServerSide() || !server.ServerSide() {
			t.Error("the sides are swapped")
		}
		check(t, client.Close())
		if client.Version() != version {
			t.Errorf("the version is %q after Close", client.Version())
		}
	})
}

func TestClientCertificate(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		cert, pool := certificate()
		serverConfig.ClientAuth, serverConfig.ClientCAs = tls.RequireAndVerifyClientCert, pool
		client, server := pair(t, clientConfig, serverConfig)
		errs := alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake})
		if _, ok := errors.AsType[*ssl.Error](errs[1]); !ok || !strings.Contains(errs[1].Error(), "client didn't provide a certificate") {
			t.Errorf("the server's error is %v", errs[1])
		}
		err := errs[0]
		if clientConfig.MaxVersion == tls.VersionTLS13 { // where the client's handshake is over before the server has looked
			check(t, err)
			_, err = client.Recv(make([]byte, 1))
		}
		if _, ok := errors.AsType[*ssl.Error](err); !ok || !strings.Contains(err.Error(), "remote error") {
			t.Errorf("the client's error is %v", err)
		}

		clientConfig.Certificates = []tls.Certificate{cert}
		client, server = connect(t, clientConfig, serverConfig)
		if got := server.Getpeercert(); got == nil || !got.Equal(cert.Leaf) {
			t.Errorf("the client's certificate is %v", got)
		}
		send(t, client, "spam")
		wantRecv(t, server, "spam")
	})
}

func TestServerName(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		var name string
		cert := serverConfig.Certificates
		serverConfig.Certificates = nil
		serverConfig.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if name = hello.ServerName; hello.Conn.LocalAddr() == nil || hello.Conn.RemoteAddr() == nil {
				t.Error("the connection has no addresses")
			}
			c := serverConfig.Clone()
			c.GetConfigForClient, c.Certificates = nil, cert
			return c, nil
		}
		clientConfig.ServerName = "eggs.test" // for which Client has another one
		_, server := connect(t, clientConfig, serverConfig)
		if state := server.ConnectionState(); name != hostname || state.ServerName != hostname {
			t.Errorf("the names are %q and %q", name, state.ServerName)
		}
		if clientConfig.ServerName != "eggs.test" {
			t.Error("the caller's config has changed")
		}
	})
}

func TestNoCommonProtocol(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		clientConfig.NextProtos = []string{"spam"}
		serverConfig.NextProtos = []string{"eggs"}
		client, server := pair(t, clientConfig, serverConfig)
		for i, err := range alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake}) {
			if _, ok := errors.AsType[*ssl.Error](err); !ok || !strings.Contains(err.Error(), "application protocol") {
				t.Errorf("error %d is %v", i, err)
			}
		}
	})
}

func TestNoCommonVersion(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, _ := configs(tls.VersionTLS12)
	_, serverConfig := configs(tls.VersionTLS13)
	client, server := pair(t, clientConfig, serverConfig)
	for i, err := range alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake}) {
		if _, ok := errors.AsType[*ssl.Error](err); !ok || !strings.Contains(err.Error(), "version") {
			t.Errorf("error %d is %v", i, err)
		}
	}
}

func TestResumption(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		for round := range 2 {
			client, server := connect(t, clientConfig, serverConfig)
			send(t, server, "spam")
			wantRecv(t, client, "spam") // with the tickets before it
			if resumed := round > 0; client.SessionReused() != resumed || server.SessionReused() != resumed {
				t.Errorf("round %d: the session is reused: %t, %t", round, client.SessionReused(), server.SessionReused())
			}
		}
	})
}

func TestCertificateErrors(t *testing.T) {
	is := func(err error, target any) bool { return errors.As(err, target) }
	for name, test := range map[string]struct {
		change   func(client *tls.Config)
		hostname string
		is       func(err error) bool
	}{
		"unknown authority": {
			func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, hostname,
			func(err error) bool { return is(err, new(x509.UnknownAuthorityError)) },
		},
		"another host": {
			func(c *tls.Config) {}, "eggs.test",
			func(err error) bool { return is(err, new(x509.HostnameError)) },
		},
		"expired": {
			func(c *tls.Config) { c.Time = func() time.Time { return time.Now().Add(48 * time.Hour) } }, hostname,
			func(err error) bool {
				var e x509.CertificateInvalidError
				return is(err, &e) && e.Reason == x509.Expired
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
				test.change(clientConfig)
				a, b := sockets(t)
				client, server := own(t, ssl.Client(a, clientConfig, test.hostname)), own(t, ssl.Server(b, serverConfig))
				errs := alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake})
				_, ofTLS := errors.AsType[*tls.CertificateVerificationError](errs[0])
				if _, ok := errors.AsType[*ssl.Error](errs[0]); !ok || !ofTLS || !test.is(errs[0]) {
					t.Errorf("error is %v", errs[0])
				}
				if _, ok := errors.AsType[*ssl.Error](errs[1]); !ok || !strings.Contains(errs[1].Error(), "bad certificate") {
					t.Errorf("the server's error is %v", errs[1])
				}
			})
		})
	}
}

func TestAccept(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		listener := own(t, ssl.Server(must[*socket.Socket](t)(socket.CreateServer("127.0.0.1:0", nil)), serverConfig))
		listener.SuppressRaggedEOFs = true
		sock := must[*socket.Socket](t)(socket.New(socket.AF_INET, socket.SOCK_STREAM, 0))
		client := own(t, ssl.Client(sock, clientConfig, hostname)) // and connect later
		addr, err := listener.Getsockname()
		check(t, err)
		check(t, client.Connect(addr))
		server, from, err := listener.Accept()
		check(t, err)
		own(t, server)
		if name := must[net.Addr](t)(client.Getsockname()); from.String() != name.String() {
			t.Errorf("accepted from %v, want %v", from, name)
		}
		if !server.ServerSide() || !server.SuppressRaggedEOFs || server.Version() != "" {
			t.Errorf("accepted %v", server)
		}
		request := testkit.Go(t, func() { send(t, client, "spam") })
		wantRecv(t, server, "spam")
		request.Wait()
		check(t, listener.Close())
		_, _, err = listener.Accept()
		wantError(t, err, os.ErrClosed)
	})
}

// What is missing is an error of the operation that needs it.
func TestNothing(t *testing.T) {
	testkit.NoLeaks(t)
	for _, s := range []*ssl.Socket{ssl.Client(nil, nil, hostname), ssl.Server(nil, nil), ssl.Client(new(socket.Socket), nil, hostname)} {
		wantError(t, s.DoHandshake(), os.ErrClosed, "ssl.do_handshake")
		_, err := s.Send([]byte("spam"))
		wantError(t, err, os.ErrClosed, "ssl.send")
		_, err = s.Recv(make([]byte, 1))
		wantError(t, err, os.ErrClosed, "ssl.recv")
		_, err = s.Unwrap()
		wantError(t, err, os.ErrClosed, "ssl.unwrap")
		if s.Pending() != 0 || s.Version() != "" || !strings.Contains(s.String(), "closed") {
			t.Errorf("it is %v", s)
		}
		check(t, s.Close())
	}

	a, b := sockets(t)
	client := own(t, ssl.Client(a, nil, ""))
	own(t, ssl.Server(b, nil))
	for _, err := range alternate(t, task{client, client.DoHandshake}) {
		if _, ok := errors.AsType[*ssl.Error](err); !ok || !strings.Contains(err.Error(), "ServerName") {
			t.Errorf("error is %v", err)
		}
	}
	clientConfig, _ := configs(tls.VersionTLS13)
	a, b = sockets(t)
	client = own(t, ssl.Client(a, clientConfig, hostname))
	server := own(t, ssl.Server(b, nil))
	for i, want := range []string{"unrecognized name", "no certificates configured"} {
		err := alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake})[i]
		if _, ok := errors.AsType[*ssl.Error](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

// Records do not survive in datagrams.
func TestNoStream(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	sock := func() *socket.Socket {
		return must[*socket.Socket](t)(socket.New(socket.AF_INET, socket.SOCK_DGRAM, 0))
	}
	for _, s := range []*ssl.Socket{own(t, ssl.Client(sock(), clientConfig, hostname)), own(t, ssl.Server(sock(), serverConfig))} {
		for range 2 {
			wantError(t, s.DoHandshake(), os.ErrInvalid, "ssl.do_handshake", "SOCK_STREAM")
		}
		_, err := s.Recv(make([]byte, 1))
		wantError(t, err, os.ErrInvalid, "ssl.recv", "SOCK_STREAM")
	}
}

func TestNotAllowed(t *testing.T) {
	testkit.NoLeaks(t)
	client, _ := pair(t, nil, nil)
	for name, f := range map[string]func() error{
		"ssl.recvfrom":    func() error { _, _, err := client.Recvfrom(nil); return err },
		"ssl.sendto":      func() error { _, err := client.Sendto(nil, nil); return err },
		"ssl.recvmsg":     func() error { _, _, _, _, err := client.Recvmsg(nil, 0); return err },
		"ssl.sendmsg":     func() error { _, err := client.Sendmsg(nil, nil, nil); return err },
		"ssl.dup":         func() error { _, err := client.Dup(); return err },
		"ssl.netconn":     func() error { _, err := client.NetConn(); return err },
		"ssl.netlistener": func() error { _, err := client.NetListener(); return err },
		"ssl.recv":        func() error { _, err := client.Recv(make([]byte, 1), socket.MSG_PEEK); return err },
		"ssl.send":        func() error { _, err := client.Send(nil, socket.MSG_DONTWAIT); return err },
		"ssl.sendall":     func() error { return client.Sendall(nil, socket.MSG_DONTWAIT) },
	} {
		wantError(t, f(), os.ErrInvalid, name, "not allowed")
	}
}

// Waiting must not occupy threads: there would be as many as goroutines.
func TestNoThreads(t *testing.T) {
	const waiters, newThreads = 500, 125
	testkit.NoLeaks(t)
	testkit.NeedFds(t, 3*waiters+100)
	_, serverConfig := configs(tls.VersionTLS13)
	threads := pprof.Lookup("threadcreate").Count()
	var all sync.WaitGroup
	var servers []*ssl.Socket
	for range waiters {
		_, b := sockets(t)
		server := own(t, ssl.Server(b, serverConfig))
		block(server)
		servers = append(servers, server)
		all.Go(func() {
			_, err := server.Recv(make([]byte, 1))
			wantError(t, err, os.ErrClosed)
		})
	}
	buf := make([]byte, 16<<20)
	testkit.Eventually(t, "the goroutines to wait", func() bool {
		return bytes.Count(buf[:runtime.Stack(buf, true)], []byte("[IO wait")) >= waiters || runtime.GOOS == "windows"
	})
	if created := pprof.Lookup("threadcreate").Count() - threads; created > newThreads {
		t.Errorf("%d goroutines that wait have made %d threads", waiters, created)
	}
	for _, server := range servers {
		check(t, server.Close())
	}
	all.Wait()
}
