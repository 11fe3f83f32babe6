//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// frame returns a message as it is sent, after its length.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// echoFrames responds to each message with the same, when it has come as a whole.
func echoFrames(_ *connection, received []byte) (response []byte, n int) {
	if len(received) < 4 {
		return nil, 0
	}
	if n = 4 + int(binary.BigEndian.Uint32(received)); len(received) < n {
		return nil, 0
	}
	return received[:n], n
}

// One loop serves a thousand clients, of package crypto/tls and of this one, who send messages all at the same time.
func TestCrowd(t *testing.T) {
	testkit.NotEmulated(t, "time for a thousand handshakes")
	clients, messages := 1000, 5
	if testkit.OnWine() { // each of whose system calls is slow
		clients = 200
	}
	testkit.NeedFds(t, 2*clients+100)
	testkit.NoLeaks(t)
	w := newWorld(t)
	l := startLoop(t, w.serverConfig(0), 16<<10, echoFrames)
	config := w.clientConfig(0)
	config.ServerName = "localhost"
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)

	dial := func(i int) (io.ReadWriteCloser, error) {
		if i%2 == 0 {
			c, err := net.Dial("tcp", l.addr)
			if err != nil {
				return nil, err
			}
			c.SetDeadline(time.Now().Add(4 * testkit.Patience)) // a thousand handshakes take their time
			return tls.Client(c, config), nil
		}
		sock, err := socket.CreateConnection(l.addr, nil)
		if err != nil {
			return nil, err
		}
		return ssl.Client(sock, config, ""), nil
	}
	talk := func(i int, c io.ReadWriteCloser) error {
		defer c.Close()
		for j := range messages {
			sent := frame(progtest.Random(i * j * 10))
			if _, err := c.Write(sent); err != nil {
				return err
			}
			back := make([]byte, len(sent))
			if _, err := io.ReadFull(c, back); err != nil {
				return err
			}
			if !bytes.Equal(back, sent) {
				return errors.New("something else came back")
			}
		}
		return nil
	}
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range clients {
		c, err := dial(i)
		testkit.Check(t, err)
		all.Go(func() {
			<-begin
			if err := talk(i, c); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	close(begin)
	all.Wait()
	for range clients {
		if err := l.next(t).err; err != nil && !errors.Is(err, socket.ErrConnectionReset) && !errors.Is(err, socket.ErrBrokenPipe) {
			t.Error(err)
		}
	}
}

// The same with clients that are in one loop themselves: there are two goroutines in all, and those of handshakes.
func TestCrowdInOneLoop(t *testing.T) {
	const clients = 200
	testkit.NeedFds(t, 2*clients+100)
	testkit.NoLeaks(t)
	w := newWorld(t)
	l := startLoop(t, w.serverConfig(0), 16<<10, echoFrames)
	type state struct {
		*client
		unsent, expected []byte
	}
	var states []*state
	for i := range clients {
		message := frame(bytes.Repeat(fmt.Appendf(nil, "client %d ", i), 5000))
		states = append(states, &state{dial(t, l.addr, w.clientConfig(0), 0), message, message})
	}
	buf := make([]byte, 16<<10)
	for left := clients; left > 0; {
		var readers, writers []*state
		for _, s := range states {
			if len(s.expected) == 0 {
				continue
			}
			n, err := s.Recv(buf)
			if err == nil && (n == 0 || !bytes.HasPrefix(s.expected, buf[:n])) {
				t.Fatalf("%.100q came, want %.100q", buf[:n], s.expected)
			}
			if s.expected = s.expected[n:]; len(s.expected) == 0 {
				testkit.Check(t, s.Close())
				left--
				continue
			}
			r, w := s.wants(t, err)
			if len(s.unsent) > 0 {
				n, err := s.Send(s.unsent)
				s.unsent = s.unsent[n:]
				sr, sw := s.wants(t, err)
				r, w = r || sr, w || sw || n > 0
			}
			if r || !w {
				readers = append(readers, s)
			}
			if w {
				writers = append(writers, s)
			}
		}
		if left > 0 {
			_, _, _, err := pyselect.Select(readers, writers, nil, testkit.Patience)
			testkit.Check(t, err)
		}
	}
}
