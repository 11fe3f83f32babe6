//go:build unix || windows

package docs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// The program of README.
func _() {
	listener, err := socket.CreateServer("localhost:1234", nil)
	if err != nil {
		log.Fatal(err)
	}
	listener.Setblocking(false)
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	sel.Register(listener, selectors.EventRead, "somebody connects")
	for ready, err := range selectors.Events(context.Background(), sel) {
		if err != nil {
			log.Fatal(err)
		}
		if conn, addr, err := listener.Accept(); err == nil {
			fmt.Println(ready.Key.Data, addr)
			conn.Close()
		} else if !errors.Is(err, socket.ErrWouldBlock) { // ErrWouldBlock: the client has gone again
			log.Fatal(err)
		}
	}
}

func withSelector(use func(*selectors.DefaultSelector) error) error {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	defer sel.Close()
	return use(sel)
}

// A Connection is a socket and what we know of its owner.
type Connection struct {
	*socket.Socket
	name string
}

func Example_fileno() {
	withPair(func(sel *selectors.DefaultSelector, a, b *socket.Socket) {
		sel.Register(&Connection{a, "spam"}, selectors.EventWrite, nil)
		ready, _ := sel.Select(0)
		fmt.Println(ready[0].Key.Fileobj.(*Connection).name)
	})
	// Output: spam
}

func remember(connections map[int]*socket.Socket, conn *socket.Socket) error {
	fd, err := conn.Fileno()
	if err != nil {
		return err
	}
	connections[fd] = conn
	return nil
}

func Example_callback() {
	withPair(func(sel *selectors.DefaultSelector, conn, b *socket.Socket) {
		sel.Register(conn, selectors.EventRead, func(events selectors.Event) {
			fmt.Println("ready for", events)
		})
		b.Send([]byte("x"))
		batch, _ := sel.Select(pyselect.Forever)
		for _, ready := range batch {
			callback := ready.Key.Data.(func(selectors.Event))
			callback(ready.Events)
		}
	})
	// Output: ready for EventRead
}

func receive(conn *socket.Socket, buf []byte, drop func(*socket.Socket)) {
	conn.Setblocking(false)
	n, err := conn.Recv(buf)
	switch {
	case errors.Is(err, socket.ErrWouldBlock):
		return // not now
	case err != nil || n == 0:
		drop(conn)
		return
	}
	fmt.Printf("%s\n", buf[:n])
}

func Example_setblocking() {
	withPair(func(_ *selectors.DefaultSelector, a, b *socket.Socket) {
		buf := make([]byte, 10)
		drop := func(*socket.Socket) { fmt.Println("dropped") }
		receive(a, buf, drop)
		b.Send([]byte("spam"))
		receive(a, buf, drop)
		b.Close()
		receive(a, buf, drop)
	})
	// Output:
	// spam
	// dropped
}

func sendMore(sel selectors.BaseSelector, conn *socket.Socket, pending []byte) error {
	n, err := conn.Send(pending)
	if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
		return err
	}
	pending = pending[n:]
	events := selectors.EventRead
	if len(pending) > 0 {
		events |= selectors.EventWrite
	}
	_, err = sel.Modify(conn, events, pending)
	return err
}

func Example_partialSend() {
	withPair(func(sel *selectors.DefaultSelector, a, b *socket.Socket) {
		a.Setblocking(false)
		sel.Register(a, selectors.EventRead|selectors.EventWrite, nil)
		data := make([]byte, 16<<20) // more than fits, while nobody reads
		if err := sendMore(sel, a, data); err != nil {
			fmt.Println(err)
			return
		}
		key, _ := sel.Key(a)
		fmt.Println("some is left:", len(key.Data.([]byte)) > 0)
		go func() {
			for buf := make([]byte, 1<<16); ; {
				if n, err := b.Recv(buf); n == 0 || err != nil {
					return
				}
			}
		}()
		for key.Events&selectors.EventWrite != 0 {
			sel.Select(pyselect.Forever)
			if err := sendMore(sel, a, key.Data.([]byte)); err != nil {
				fmt.Println(err)
				return
			}
			key, _ = sel.Key(a)
		}
		fmt.Println("and now nothing:", len(key.Data.([]byte)) == 0)
	})
	// Output:
	// some is left: true
	// and now nothing: true
}

func beginConnect(sel selectors.BaseSelector, conn *socket.Socket, addr net.Addr) error {
	conn.Setblocking(false)
	if err := conn.Connect(addr); err != nil && !errors.Is(err, socket.ErrInProgress) {
		return err
	}
	_, err := sel.Register(conn, selectors.EventWrite, nil)
	return err
}

func connected(conn *socket.Socket) error {
	code, err := conn.Getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	return err
}

func Example_nonBlockingConnect() {
	withSelector(func(sel *selectors.DefaultSelector) error {
		server, err := socket.CreateServer("127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		defer server.Close()
		addr, _ := server.Getsockname()
		conn, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := beginConnect(sel, conn, addr); err != nil {
			return err
		}
		sel.Select(pyselect.Forever)
		fmt.Println(connected(conn))
		return nil
	})
	// Output: <nil>
}

func Example_thread() {
	withPair(func(_ *selectors.DefaultSelector, conn, peer *socket.Socket) {
		work := func(conn *socket.Socket) { conn.Sendall([]byte("spam")) }
		go work(conn)
		buf := make([]byte, 10)
		n, err := peer.Recv(buf)
		fmt.Println(string(buf[:n]), err)
	})
	// Output: spam <nil>
}

func Example_wakeup() {
	withPair(func(sel *selectors.DefaultSelector, _, _ *socket.Socket) {
		work := func() {}
		go func() {
			work()
			sel.Wakeup()
		}()
		ready, err := sel.Select(pyselect.Forever)
		fmt.Println(len(ready), err)
	})
	// Output: 0 <nil>
}

type timer struct{ when time.Time }

func nextBatch(sel selectors.BaseSelector, timers []timer) ([]selectors.Ready, error) {
	timeout := pyselect.Forever
	if len(timers) > 0 {
		timeout = max(0, time.Until(timers[0].when))
	}
	ready, err := sel.Select(timeout)
	return ready, err
}

func Example_timers() {
	withPair(func(sel *selectors.DefaultSelector, _, _ *socket.Socket) {
		when := time.Now().Add(20 * time.Millisecond)
		ready, err := nextBatch(sel, []timer{{when}})
		fmt.Println(len(ready), err, time.Now().Before(when))
	})
	// Output: 0 <nil> false
}

func serveBatch(sel selectors.BaseSelector, ready []selectors.Ready, serve func(selectors.Ready)) {
	for _, r := range ready {
		if key, err := sel.Key(r.Key.Fileobj); err != nil || key != r.Key {
			continue // unregistered meanwhile
		}
		serve(r)
	}
}

func Example_closingInsideABatch() {
	withPair(func(sel *selectors.DefaultSelector, a, b *socket.Socket) {
		sel.Register(a, selectors.EventWrite, b)
		sel.Register(b, selectors.EventWrite, a)
		ready, _ := sel.Select(0)
		fmt.Println(len(ready), "are ready")
		serveBatch(sel, ready, func(r selectors.Ready) {
			other := r.Key.Data.(*socket.Socket)
			sel.Unregister(other)
			other.Close()
			fmt.Println("one closes the other")
		})
	})
	// Output:
	// 2 are ready
	// one closes the other
}

type callback func(*socket.Socket) error

func serveEcho(ctx context.Context, sel selectors.BaseSelector, server *socket.Socket) error {
	echo := func(conn *socket.Socket) error {
		buf := make([]byte, 1000)
		n, err := conn.Recv(buf)
		if errors.Is(err, socket.ErrWouldBlock) {
			return nil
		}
		if n > 0 {
			_, err = conn.Send(buf[:n]) // hoping that it does not block
		}
		if n == 0 || err != nil {
			fmt.Println("closing")
			sel.Unregister(conn)
			conn.Close()
		}
		return nil
	}
	accept := func(server *socket.Socket) error {
		conn, addr, err := server.Accept()
		if errors.Is(err, socket.ErrWouldBlock) {
			return nil // it has gone already
		}
		if err != nil {
			return err
		}
		fmt.Println("connected", addr)
		conn.Setblocking(false)
		_, err = sel.Register(conn, selectors.EventRead, callback(echo))
		return err
	}

	server.Setblocking(false)
	if _, err := sel.Register(server, selectors.EventRead, callback(accept)); err != nil {
		return err
	}
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			return err
		}
		callback := ready.Key.Data.(callback)
		if err := callback(ready.Key.Fileobj.(*socket.Socket)); err != nil {
			return err
		}
	}
	return nil
}

func TestServer(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stdout := os.Stdout
	os.Stdout = w
	withPair(func(sel *selectors.DefaultSelector, _, _ *socket.Socket) {
		server, err := socket.CreateServer("127.0.0.1:0", nil)
		if err != nil {
			log.Fatal(err)
		}
		defer server.Close()
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			defer cancel()
			addr, _ := server.Getsockname()
			client, err := socket.CreateConnection(addr.String(), nil)
			if err != nil {
				log.Fatal(err)
			}
			defer client.Close()
			client.Sendall([]byte("spam"))
			buf := make([]byte, 10)
			client.Recv(buf)
			client.Shutdown(socket.SHUT_WR)
			client.Recv(buf) // the end
		}()
		if err := serveEcho(ctx, sel, server); err != nil {
			t.Error(err)
		}
	})
	os.Stdout = stdout
	w.Close()
	printed, err := io.ReadAll(r)
	if want := regexp.MustCompile(`^connected 127\.0\.0\.1:\d+\nclosing\n$`); err != nil || !want.Match(printed) {
		t.Errorf("printed %q, %v, want %v", printed, err, want)
	}
}

// withPair calls f with a selector and two connected sockets.
func withPair(f func(sel *selectors.DefaultSelector, a, b *socket.Socket)) {
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	err = withSelector(func(sel *selectors.DefaultSelector) error {
		f(sel, a, b)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}
