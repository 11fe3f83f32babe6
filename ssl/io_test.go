//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// A record can be received in parts, and Pending says what is left of it.
func TestRecvParts(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		send(t, client, "0123456789")
		send(t, client, "next")
		wantPart := func(size int, want string, pending int) {
			t.Helper()
			buf := make([]byte, size)
			if n, err := server.Recv(buf); err != nil || string(buf[:n]) != want {
				t.Errorf("received %q, %v; want %q", buf[:n], err, want)
			}
			for range 2 {
				if n := server.Pending(); n != pending {
					t.Errorf("%d bytes are pending, want %d", n, pending)
				}
			}
		}
		if n := server.Pending(); n != 0 || !readable(t, server, testkit.Patience) {
			t.Errorf("%d bytes are pending", n)
		}
		if n, err := server.Recv(nil); n != 0 || err != nil {
			t.Errorf("received %d bytes, %v", n, err)
		}
		wantPart(1, "0", 9)
		wantPart(3, "123", 6)
		wantPart(6, "456789", 0)
		wantPart(100, "next", 0)
		wantNothing(t, server)
	})
}

// What Pending has found is not lost, whatever is next.
func TestPendingKeepsOrder(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		data := bytes.Repeat([]byte("spam and eggs"), 10000)
		sender := testkit.Go(t, func() {
			check(t, client.Settimeout(testkit.Patience))
			check(t, client.Sendall(data))
			check(t, client.Close())
		})
		var got []byte
		for size := 1; ; size = size*7%1000 + 1 {
			buf := make([]byte, size)
			n, err := server.Recv(buf)
			got = append(got, buf[:n]...)
			if errors.Is(err, ssl.ErrWantRead) {
				if n := server.Pending(); n != 0 {
					t.Fatalf("%d bytes are pending, but not to be received", n)
				}
				readable(t, server, testkit.Patience)
				continue
			}
			if check(t, err); n == 0 {
				break
			}
			if size%3 == 0 {
				server.Pending()
			}
		}
		sender.Wait()
		if !bytes.Equal(got, data) {
			t.Errorf("received %d bytes, or others than the %d that were sent", len(got), len(data))
		}
	})
}

func TestSendWhenFull(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		var want []byte
		part := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 10000) }
		i := 0
		for ; ; i++ {
			n, err := client.Send(part(i))
			if errors.Is(err, ssl.ErrWantWrite) {
				wantError(t, err, socket.ErrWouldBlock, "ssl.send", "writable")
				if n != 0 {
					t.Errorf("sent %d bytes", n)
				}
				break
			}
			if check(t, err); n != 10000 {
				t.Fatalf("sent %d bytes", n)
			}
			want = append(want, part(i)...)
		}
		for range 2 {
			_, err := client.Send(part(i)[:9999])
			wantError(t, err, os.ErrInvalid, "ssl.send", "9999", "10000")
			_, err = client.Send(nil)
			wantError(t, err, os.ErrInvalid, "ssl.send")
			_, err = client.Send(part(i))
			wantError(t, err, ssl.ErrWantWrite)
			_, err = client.Send(append(part(i), "more"...))
			wantError(t, err, ssl.ErrWantWrite)
		}
		var got []byte
		buf := make([]byte, 1<<14)
		receive := func() error {
			n, err := server.Recv(buf)
			got = append(got, buf[:n]...)
			return err
		}
		// Half a record may have gone.
		for sent := false; !sent; {
			check(t, alternate(t, task{server, receive})[0])
			n, err := client.Send(append(part(i), "more"...))
			if sent = err == nil; !sent {
				wantError(t, err, ssl.ErrWantWrite)
			} else if n != 10000 {
				t.Errorf("sent %d bytes, want those of the first attempt", n)
			}
		}
		want = append(want, part(i)...)
		for len(got) < len(want) {
			check(t, alternate(t, task{server, receive})[0])
		}
		send(t, client, "end")
		want = append(want, "end"...)
		check(t, alternate(t, task{server, receive})[0])
		if !bytes.Equal(got, want) {
			t.Errorf("received %d bytes, or others than the %d that were sent", len(got), len(want))
		}
	})
}

// A non-blocking Socket sends one record.
func TestSendIsPartial(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		data := make([]byte, 40000)
		if n, err := client.Send(data); n != 1<<14 || err != nil {
			t.Errorf("sent %d bytes, %v", n, err)
		}
		for received := 0; received < 1<<14; {
			n, err := server.Recv(data)
			if check(t, err); n == 0 {
				t.Fatal("the end")
			}
			received += n
		}
		if n, err := client.Send(nil); n != 0 || err != nil {
			t.Errorf("sent %d bytes, %v", n, err)
		}
		check(t, client.Sendall(nil))
		wantNothing(t, server)
	})
}

// A blocking Send sends all, however slowly that is received, in both directions at once.
func TestSendAll(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := pair(t, clientConfig, serverConfig)
		block(client, server)
		check(t, client.Setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1<<13)) // so that the kernel takes records in parts
		data := make([]byte, 3<<20)
		for i := range data {
			data[i] = byte(i * i >> 7)
		}
		var all sync.WaitGroup
		for _, s := range []*ssl.Socket{client, server} {
			all.Go(func() {
				if n, err := s.Send(data); n != len(data) || err != nil {
					t.Errorf("sent %d bytes, %v", n, err)
				}
				check(t, s.Sendall(data))
				if n, err := s.Write(data); n != len(data) || err != nil {
					t.Errorf("wrote %d bytes, %v", n, err)
				}
			})
			all.Go(func() {
				got := make([]byte, 3*len(data))
				for pos, i := 0, 0; pos < len(got); i++ {
					n, err := s.Recv(got[pos:min(pos+1+i%20000, len(got))])
					if err != nil || n == 0 {
						t.Errorf("received %d bytes, then %d and %v", pos, n, err)
						return
					}
					if pos += n; i%8 == 0 {
						runtime.Gosched()
					}
				}
				if !bytes.Equal(got, bytes.Repeat(data, 3)) {
					t.Error("received other data than was sent")
				}
			})
		}
		all.Wait()
	})
}

// A Send that has a timeout sends all, as Python's does, and not one record.
func TestSendAllWithTimeout(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		check(t, client.Settimeout(testkit.Patience))
		block(server)
		data := make([]byte, 3<<20)
		call := testkit.Go(t, func() {
			if n, err := client.Send(data); n != len(data) || err != nil {
				t.Errorf("sent %d bytes, %v", n, err)
				client.Close()
			}
		})
		_, err := io.CopyN(io.Discard, server, int64(len(data)))
		check(t, err)
		call.Wait()
	})
}

// The timeout of Sendall is for all of it, also if the peer receives a bit now and then.
func TestSendallTimeout(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		const timeout = 100 * time.Millisecond
		for name, f := range map[string]func(s *ssl.Socket) error{
			"Sendall": func(s *ssl.Socket) error { return s.Sendall(make([]byte, 64<<20)) },
			"Write": func(s *ssl.Socket) error {
				n, err := s.Write(make([]byte, 64<<20))
				if n == 0 {
					t.Errorf("wrote %d bytes", n)
				}
				return err
			},
		} {
			client, server := connect(t, clientConfig, serverConfig)
			check(t, client.Settimeout(timeout))
			ended := make(chan struct{})
			call := testkit.Go(t, func() {
				defer close(ended)
				testkit.Duration(t, timeout, func() { wantError(t, f(client), os.ErrDeadlineExceeded, "ssl.send") })
			})
			buf := make([]byte, 1<<14)
			for late := false; !late; {
				for range 20 {
					server.Recv(buf)
				}
				select {
				case <-ended:
					late = true
				case <-time.After(20 * time.Millisecond):
				}
			}
			call.Wait()
			if n, err := server.Recv(buf); n == 0 && err == nil {
				t.Errorf("%s has ended the connection", name)
			}
		}
	})
}

// A timeout of Send leaves a record on its way, which the next Send ends.
func TestSendTimeout(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		const timeout = 20 * time.Millisecond
		client, server := connect(t, clientConfig, serverConfig)
		check(t, client.Settimeout(timeout))
		data := make([]byte, 1<<14)
		records := 0
		for ; ; records++ {
			var n int
			var err error
			took := testkit.Duration(t, 0, func() { n, err = client.Send(data) })
			if err != nil {
				wantError(t, err, os.ErrDeadlineExceeded, "ssl.send")
				if took < timeout {
					t.Errorf("took %v", took)
				}
				break
			}
			if n != len(data) {
				t.Fatalf("sent %d bytes", n)
			}
		}
		check(t, client.Settimeout(testkit.Patience))
		next := testkit.Go(t, func() {
			if n, err := client.Send(data); n != len(data) || err != nil {
				t.Errorf("sent %d bytes, %v", n, err)
			}
		})
		block(server)
		received := 0
		for received < (records+1)*len(data) {
			n, err := server.Recv(data)
			if check(t, err); n == 0 {
				break
			}
			received += n
		}
		next.Wait()
		check(t, client.Close()) // for which there is room now
		n, err := server.Recv(data)
		if check(t, err); received+n != (records+1)*len(data) || n != 0 {
			t.Errorf("received %d bytes and %d of %d records", received, n, records+1)
		}
	})
}

// Many goroutines send, and what each gives to Sendall stays together.
func TestSendallIsWhole(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		block(client, server)
		const size = 300000
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { check(t, client.Sendall(bytes.Repeat([]byte{byte(i)}, size))) })
		}
		got := make([]byte, 4*size)
		must[int](t)(io.ReadFull(server, got))
		all.Wait()
		for i := range 4 {
			if part := got[i*size:][:size]; !bytes.Equal(part, bytes.Repeat(part[:1], size)) {
				t.Errorf("part %d is mixed", i)
			}
		}
	})
}

// Who waits to receive does not keep others from looking.
func TestOperationsBesideWaiter(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		block(client)
		waiter := testkit.Go(t, func() { wantRecv(t, client, "spam") }).Blocked()
		client.Setblocking(false)
		testkit.Go(t, func() {
			wantNothing(t, client)
			send(t, client, "eggs")
			check(t, client.DoHandshake())
		}).Wait()
		const timeout = 20 * time.Millisecond
		check(t, client.Settimeout(timeout))
		testkit.Duration(t, timeout, func() {
			_, err := client.Recv(make([]byte, 1))
			wantError(t, err, os.ErrDeadlineExceeded)
		})
		send(t, server, "spam")
		waiter.Wait()

		// The same with Send.
		block(client)
		sender := testkit.Go(t, func() { check(t, client.Sendall(make([]byte, 8<<20))) }).Blocked()
		client.Setblocking(false)
		_, err := client.Send([]byte("spam"))
		wantError(t, err, ssl.ErrWantWrite)
		check(t, client.Settimeout(timeout))
		testkit.Duration(t, timeout, func() {
			_, err := client.Send([]byte("spam"))
			wantError(t, err, os.ErrDeadlineExceeded)
		})
		block(server)
		wantRecv(t, server, "eggs")
		must[int](t)(io.ReadFull(server, make([]byte, 8<<20)))
		sender.Wait()
	})
}

// What one goroutine has taken from the kernel, another one that waits does not wait for.
func TestWaiterLearnsWhatOthersFind(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		for range 300 {
			block(client)
			var rest int
			waiter := testkit.Go(t, func() {
				n, err := client.Recv(make([]byte, 10))
				check(t, err)
				rest = n
			}).Blocked()
			client.Setblocking(false)
			send(t, server, "0123456789")
			n, err := client.Recv(make([]byte, 1))
			if err != nil {
				wantError(t, err, ssl.ErrWantRead)
			}
			if waiter.Wait(); n+rest != 10 {
				t.Errorf("received %d and %d bytes", n, rest)
			}
		}
	})
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		for range 20 {
			client, server := pair(t, clientConfig, serverConfig)
			block(client)
			waiter := testkit.Go(t, func() { check(t, client.DoHandshake()) }).Blocked()
			client.Setblocking(false)
			testkit.Eventually(t, "the handshake", func() bool {
				a, b := client.DoHandshake(), server.DoHandshake()
				return a == nil && b == nil
			})
			waiter.Wait()
		}
	})
}

func TestReader(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		block(client, server)
		must[int](t)(client.Write([]byte("spam")))
		check(t, client.Close())
		if all, err := io.ReadAll(server); string(all) != "spam" || err != nil {
			t.Errorf("read %q, %v", all, err)
		}
		if n, err := server.Read(nil); n != 0 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}

func TestSendfile(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)
		file := testkit.File(t) // "content"
		for _, test := range []struct {
			offset, count int64
			want          string
		}{{0, -1, "content"}, {2, -1, "ntent"}, {2, 3, "nte"}, {5, 10, "nt"}} {
			n, err := client.Sendfile(file, test.offset, test.count)
			if n != int64(len(test.want)) || err != nil {
				t.Errorf("sent %d bytes, %v", n, err)
			}
			wantRecv(t, server, test.want)
		}
		for _, test := range []struct{ offset, count int64 }{{0, 0}, {7, -1}, {100, 5}} {
			if n, err := client.Sendfile(file, test.offset, test.count); n != 0 || err != nil {
				t.Errorf("sent %d bytes, %v", n, err)
			}
		}
		_, err := client.Sendfile(nil, 0, -1)
		wantError(t, err, os.ErrInvalid, "ssl.sendfile")
		_, err = client.Sendfile(file, -1, -1)
		wantError(t, err, os.ErrInvalid, "ssl.sendfile", "-1")
		wantNothing(t, server)

		large := testkit.File(t)
		data := bytes.Repeat([]byte("spam and eggs"), 600000) // Windows has room for 4 MiB
		must[int](t)(large.Write(data))
		sent := must[int64](t)(client.Sendfile(large, 0, -1)) // what there is room for
		if records := sent / (1 << 14); records < 2 || sent != records<<14 || sent == int64(len(data)) {
			t.Errorf("sent %d bytes", sent)
		}
		_, err = client.Sendfile(large, sent, -1)
		wantError(t, err, ssl.ErrWantWrite, "ssl.sendfile")
		var got []byte
		send := func() error {
			for sent < int64(len(data)) {
				n, err := client.Sendfile(large, sent, int64(len(data))-sent)
				if err != nil {
					return err
				}
				sent += n
			}
			return nil
		}
		recv := func() error {
			for p := make([]byte, 1<<14); len(got) < len(data); {
				n, err := server.Recv(p)
				if err != nil {
					return err
				}
				got = append(got, p[:n]...)
			}
			return nil
		}
		for _, err := range alternate(t, task{client, send}, task{server, recv}) {
			check(t, err)
		}
		if !bytes.Equal(got, data) {
			t.Error("received other data than was sent")
		}

		block(client, server)
		sender := testkit.Go(t, func() {
			if n, err := client.Sendfile(large, 0, -1); n != int64(len(data)) || err != nil {
				t.Errorf("sent %d bytes, %v", n, err)
			}
		})
		got = make([]byte, len(data))
		must[int](t)(io.ReadFull(server, got))
		if sender.Wait(); !bytes.Equal(got, data) {
			t.Error("received other data than was sent")
		}
		check(t, file.Close())
		_, err = client.Sendfile(file, 0, -1)
		wantError(t, err, os.ErrClosed, "ssl.sendfile")
	})
}

// The time of SO_RCVTIMEO and SO_SNDTIMEO ends a wait as if the socket were non-blocking.
func TestKernelTimeout(t *testing.T) {
	testkit.NotOn(t, "windows", "timeval in these options")
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, _ := connect(t, clientConfig, serverConfig)
		block(client)
		limit(t, client)
		_, err := client.Recv(make([]byte, 1))
		wantError(t, err, ssl.ErrWantRead, "ssl.recv")
		_, err = client.Send(make([]byte, 8<<20))
		wantError(t, err, ssl.ErrWantWrite, "ssl.send")
	})
}

// Crypto/tls at the other end sees what it has to.
func TestPeerIsCryptoTLS(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		clientConfig = clientConfig.Clone()
		clientConfig.ServerName = hostname
		for _, ours := range []string{"client", "server"} {
			a, b := testkit.TCPPair(t)
			sock := must[*socket.Socket](t)(socket.FromConn(a))
			var s *ssl.Socket
			var peer *tls.Conn
			if ours == "client" {
				s, peer = own(t, ssl.Client(sock, clientConfig, "")), tls.Server(b, serverConfig)
			} else {
				s, peer = own(t, ssl.Server(sock, serverConfig)), tls.Client(b, clientConfig)
			}
			echo := testkit.Go(t, func() {
				if n, err := io.Copy(peer, peer); n != 1<<20 || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
				check(t, peer.CloseWrite())
			})
			data := bytes.Repeat([]byte("spam"), 1<<18)
			sender := testkit.Go(t, func() { check(t, s.Sendall(data)) })
			got := make([]byte, len(data))
			must[int](t)(io.ReadFull(s, got))
			sender.Wait()
			must[*socket.Socket](t)(s.Unwrap())
			echo.Wait()
			if !bytes.Equal(got, data) {
				t.Error("received other data than was sent")
			}
		}
	})
}
