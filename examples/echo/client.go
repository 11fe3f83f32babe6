//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/selectors"
)

// How many connections the client has, and how long their messages are, in lines.
var (
	clientConns    = 5
	clientMessages = []int{1, 1000, 50000}
)

// A session is one connection of the client, the data of its key.
type session struct {
	id       int
	unsent   [][]byte     // the messages, of the first perhaps only the rest
	expected bytes.Buffer // sent and not come back yet
	received int
}

// connect sends messages to a server over several connections. It returns nil when all of them have come back.
func connect(ctx context.Context, addr string) error {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	defer sel.Close()
	defer func() {
		for key := range sel.Keys() {
			key.Fileobj.(net.Conn).Close()
		}
	}()
	for id := 1; id <= clientConns; id++ {
		if err := startSession(ctx, sel, addr, id); err != nil {
			return err
		}
	}

	buf := make([]byte, 16<<10)
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			return err
		}
		s := ready.Key.Data.(*session)
		if err := s.service(sel, ready, buf); err != nil {
			return fmt.Errorf("connection %d: %w", s.id, err)
		}
		if sel.Len() == 0 {
			fmt.Println("all", clientConns, "connections are done")
			return nil
		}
	}
	return context.Cause(ctx)
}

func startSession(ctx context.Context, sel selectors.BaseSelector, addr string, id int) error {
	s := &session{id: id}
	for i, lines := range clientMessages {
		line := fmt.Sprintf("message %d of connection %d\n", i+1, id)
		s.unsent = append(s.unsent, bytes.Repeat([]byte(line), lines))
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if _, err := sel.Register(conn, selectors.EventRead|selectors.EventWrite, s); err != nil {
		conn.Close()
		return err
	}
	return nil
}

// service does what a connection is ready for. In the end it closes the connection.
func (s *session) service(sel selectors.BaseSelector, ready selectors.Ready, buf []byte) error {
	key := ready.Key
	if ready.Events&selectors.EventRead != 0 {
		if err := s.receive(key.Fd, buf); err != nil {
			return err
		}
	}
	if ready.Events&selectors.EventWrite != 0 {
		if err := s.send(key.Fd); err != nil {
			return err
		}
	}
	switch {
	case len(s.unsent) > 0:
	case key.Events&selectors.EventWrite != 0:
		fmt.Printf("connection %d: has sent %d messages, reads only from now on\n", s.id, len(clientMessages))
		if _, err := sel.Modify(key.Fileobj, selectors.EventRead, s); err != nil {
			return err
		}
	case s.expected.Len() == 0:
		fmt.Printf("connection %d: all %d bytes came back\n", s.id, s.received)
		sel.Unregister(key.Fileobj)
		return key.Fileobj.(net.Conn).Close()
	}
	return nil
}

func (s *session) receive(fd int, buf []byte) error {
	n, err := unix.Read(fd, buf)
	switch {
	case again(err):
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return fmt.Errorf("closed by the server when %d bytes had come back: %w", s.received, io.ErrUnexpectedEOF)
	}
	if !bytes.Equal(buf[:n], s.expected.Next(n)) {
		return fmt.Errorf("what comes back after %d bytes is not what was sent", s.received)
	}
	s.received += n
	return nil
}

func (s *session) send(fd int) error {
	n, err := unix.Write(fd, s.unsent[0])
	switch {
	case again(err):
		return nil
	case err != nil:
		return os.NewSyscallError("write", err)
	}
	s.expected.Write(s.unsent[0][:n])
	s.unsent[0] = s.unsent[0][n:]
	if len(s.unsent[0]) == 0 {
		s.unsent = s.unsent[1:]
	}
	return nil
}
