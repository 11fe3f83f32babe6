package docs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func pollUntil(ep *pyselect.Epoll, deadline time.Time) ([]pyselect.EpollEvent, error) {
	timeout := max(0, time.Until(deadline))
	events, err := ep.Poll(timeout, -1)
	return events, err
}

func Example_timeout() {
	withEpoll(func(ep *pyselect.Epoll) {
		events, err := pollUntil(ep, time.Now().Add(-time.Second))
		fmt.Println(len(events), err)
	})
	// Output: 0 <nil>
}

func watch(ep *pyselect.Epoll, f any) error {
	err := ep.Register(f, pyselect.EPOLLIN)
	switch {
	case errors.Is(err, fs.ErrExist):
		err = ep.Modify(f, pyselect.EPOLLIN)
	case errors.Is(err, fs.ErrPermission):
		fmt.Println("a regular file is always ready")
	}
	return err
}

func Example_opError() {
	withEpoll(func(ep *pyselect.Epoll) {
		err := ep.Unregister(1 << 20)
		var e *pyselect.OpError
		if errors.As(err, &e) {
			fmt.Println(e.Op, e.Fd) // like "epoll.register", 7
		}
	})
	// Output: epoll.unregister 1048576
}

func Example_exceptions() {
	withEpoll(func(ep *pyselect.Epoll) {
		withPair(func(_ *selectors.DefaultSelector, a, _ *socket.Socket) {
			fmt.Println(watch(ep, a))
			fmt.Println(watch(ep, a))
		})
		null, err := os.Open(os.DevNull)
		if err != nil {
			log.Fatal(err)
		}
		defer null.Close()
		fmt.Println(watch(ep, null) != nil)
	})
	// Output:
	// <nil>
	// <nil>
	// a regular file is always ready
	// true
}

func dispatch(connections map[int]*socket.Socket, events []pyselect.EpollEvent, handle func(*socket.Socket, pyselect.EpollMask)) {
	for _, e := range events {
		conn := connections[e.Fd]
		handle(conn, e.Events)
	}
}

func Example_dictionary() {
	withEpoll(func(ep *pyselect.Epoll) {
		withPair(func(_ *selectors.DefaultSelector, a, _ *socket.Socket) {
			connections := make(map[int]*socket.Socket)
			remember(connections, a)
			ep.Register(a, pyselect.EPOLLOUT)
			events, _ := ep.Poll(pyselect.Forever, -1)
			dispatch(connections, events, func(conn *socket.Socket, events pyselect.EpollMask) {
				fmt.Println(conn == a, events)
			})
		})
	})
	// Output: true EPOLLOUT
}

func byMask(e pyselect.EpollEvent, receive, drop func(fd int)) {
	if e.Events&pyselect.EPOLLIN != 0 {
		receive(e.Fd)
	}
	if e.Events&(pyselect.EPOLLHUP|pyselect.EPOLLERR) != 0 {
		drop(e.Fd)
	}
}

func Example_masks() {
	withEpoll(func(ep *pyselect.Epoll) {
		withPair(func(_ *selectors.DefaultSelector, a, b *socket.Socket) {
			ep.Register(a, pyselect.EPOLLIN)
			b.Close()
			events, _ := ep.Poll(pyselect.Forever, -1)
			byMask(events[0], func(int) { fmt.Println("receive") }, func(int) { fmt.Println("drop") })
		})
	})
	// Output:
	// receive
	// drop
}

func peerCred(s *socket.Socket) (*unix.Ucred, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	if closed := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), socket.SOL_SOCKET, socket.SO_PEERCRED)
	}); closed != nil {
		return nil, closed
	}
	return cred, err
}

func Example_syscallConn() {
	withPair(func(_ *selectors.DefaultSelector, a, _ *socket.Socket) {
		cred, err := peerCred(a)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(int(cred.Pid) == os.Getpid())
		a.Close()
		_, err = peerCred(a)
		fmt.Println(errors.Is(err, os.ErrClosed))
	})
	// Output:
	// true
	// true
}

func Example_netlink() {
	s, err := socket.New(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	// (pid, groups) is, after two bytes that are zero, two numbers in the machine's order.
	data := make([]byte, 2)
	data = binary.NativeEndian.AppendUint32(data, 0)
	data = binary.NativeEndian.AppendUint32(data, 0)
	fmt.Println(s.Bind(socket.RawAddr{Family: socket.AF_NETLINK, Data: string(data)}))
	// Output: <nil>
}

func withEpoll(f func(*pyselect.Epoll)) {
	ep, err := pyselect.NewEpoll()
	if err != nil {
		log.Fatal(err)
	}
	defer ep.Close()
	f(ep)
}

func newPoller() (poller, error) { return pyselect.NewEpoll() }
