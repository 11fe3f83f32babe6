//go:build unix || windows

package docs

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func untilInterrupted(sel selectors.BaseSelector, serve func(selectors.Ready)) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			return err
		}
		serve(ready)
	}
	return nil
}

func selectUntilDone(ctx context.Context, inputs []*socket.Socket, serve func(*socket.Socket)) error {
	for {
		readable, _, _, err := pyselect.SelectContext(ctx, inputs, nil, nil)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, s := range readable {
			serve(s)
		}
	}
}

func Example_selectContext() {
	withPair(func(_ *selectors.DefaultSelector, a, b *socket.Socket) {
		b.Send([]byte("x"))
		ctx, cancel := context.WithCancel(context.Background())
		err := selectUntilDone(ctx, []*socket.Socket{a}, func(s *socket.Socket) {
			n, err := s.Recv(make([]byte, 10))
			fmt.Println(n, err)
			go cancel()
		})
		fmt.Println(err)
	})
	// Output:
	// 1 <nil>
	// <nil>
}

func selectWithTicks(ctx context.Context, inputs []*socket.Socket, timeout time.Duration, tick func()) error {
	for {
		wait, cancel := context.WithTimeout(ctx, timeout)
		readable, _, _, err := pyselect.SelectContext(wait, inputs, nil, nil)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil // interrupted
		case errors.Is(err, context.DeadlineExceeded):
			tick() // the timeout is over
		case err != nil:
			return err
		}
		fmt.Println(len(readable), "are readable")
	}
}

func Example_selectContextTimeout() {
	withPair(func(_ *selectors.DefaultSelector, a, _ *socket.Socket) {
		ctx, cancel := context.WithCancel(context.Background())
		begin, timeout := time.Now(), 10*time.Millisecond
		err := selectWithTicks(ctx, []*socket.Socket{a}, timeout, func() {
			fmt.Println("tick", time.Since(begin) >= timeout)
			cancel()
		})
		fmt.Println(err)
	})
	// Output:
	// tick true
	// 0 are readable
	// <nil>
}

func wakeUntilDone(
	ctx context.Context, sel selectors.BaseSelector, timeout func() time.Duration, serve func(selectors.Ready),
) error {
	defer context.AfterFunc(ctx, func() { sel.Wakeup() })()
	for ctx.Err() == nil {
		ready, err := sel.Select(timeout())
		if err != nil {
			return err
		}
		for _, r := range ready {
			serve(r)
		}
	}
	return nil
}

func Example_wakeupAtTheEnd() {
	withPair(func(sel *selectors.DefaultSelector, _, _ *socket.Socket) {
		ctx, cancel := context.WithCancel(context.Background())
		err := wakeUntilDone(ctx, sel, func() time.Duration {
			go cancel()
			return pyselect.Forever
		}, nil)
		fmt.Println(err)
	})
	// Output: <nil>
}

func acceptUntilDone(ctx context.Context, server *socket.Socket, serve func(*socket.Socket)) error {
	defer context.AfterFunc(ctx, func() { server.Close() })()
	for {
		conn, _, err := server.Accept()
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go serve(conn)
	}
}

func Example_closeEndsAccept() {
	server, err := socket.CreateServer("127.0.0.1:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	addr, err := server.Getsockname()
	if err != nil {
		log.Fatal(err)
	}
	client, err := socket.CreateConnection(addr.String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(acceptUntilDone(ctx, server, func(conn *socket.Socket) {
		conn.Close()
		cancel()
	}))
	// Output: <nil>
}

func handleSignals(wakeup *socket.Socket, handlers map[syscall.Signal]func()) error {
	buf := make([]byte, 16)
	n, err := wakeup.Recv(buf)
	if err != nil {
		return err
	}
	for _, number := range buf[:n] {
		handlers[syscall.Signal(number)]()
	}
	return nil
}
