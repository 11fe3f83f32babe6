//go:build unix || windows

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

const (
	chunkSize = 256 << 10 // bytes of a file between two looks at the progress

	maxWindow = 64              // pieces that are asked for at once
	stall     = 5 * time.Second // without what a window has asked for
)

// errOutOfStep says that a server does not answer a window as it has answered single messages.
var errOutOfStep = errors.New("the server does not send a piece for each message")

// A client connects to the server when it has to, and again when the server has ended the connection.
type client struct {
	addr      string
	timeout   time.Duration // of each wait for the server
	overwrite bool          // downloads may replace files
	oneByOne  bool          // the server has to be asked for one piece after the other

	sock *socket.Socket // or nil
	peer net.Addr
	stop func() bool // stops interrupts from closing sock
	buf  []byte
}

// run is the program of a client.
func (c *client) run(flags *flag.FlagSet, main func(ctx context.Context) error) {
	if c.timeout <= 0 {
		program.UsageError(flags, "-timeout is %v, and has to be positive", c.timeout)
	}
	c.buf = make([]byte, chunkSize)
	program.Run(func(ctx context.Context) error {
		defer c.close()
		return main(ctx)
	})
}

// each transfers files, and goes on with the next one after one has failed.
func each(ctx context.Context, names []string, transfer func(ctx context.Context, name string) error) error {
	switch len(names) {
	case 0:
		return errors.New("no file is named")
	case 1:
		return transfer(ctx, names[0])
	}
	failed := 0
	for _, name := range names {
		err := transfer(ctx, name)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			log.Print(err)
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files failed", failed, len(names))
	}
	return nil
}

// connected calls f with a connection, which an interrupt closes. After an error nobody knows what the server expects, so the
// connection ends.
func (c *client) connected(ctx context.Context, f func() error) error {
	err := c.connect(ctx)
	if err == nil {
		if err = f(); err == nil {
			return nil
		}
		if !ofFile(err) {
			err = program.PeerError(c.peer, err)
		}
		c.close()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ofFile reports whether an error is one of a file, and not of the connection.
func ofFile(err error) bool {
	_, path := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	return path || link
}

func (c *client) connect(ctx context.Context) error {
	if c.sock != nil {
		if _, err := c.sock.Recv(c.buf[:1], socket.MSG_DONTWAIT); errors.Is(err, socket.ErrWouldBlock) {
			return nil
		}
		c.close() // as the server has
	}
	sock, err := program.Dial(ctx, c.addr, c.timeout)
	if err != nil {
		return err
	}
	c.sock, c.stop = sock, context.AfterFunc(ctx, func() { sock.Close() })
	c.peer, err = sock.Getpeername()
	return err
}

func (c *client) close() {
	if c.sock != nil {
		c.stop()
		c.sock.Close()
		c.sock = nil
	}
}

// put uploads a file.
func (c *client) put(ctx context.Context, path string) error {
	name := filepath.Base(path)
	if !validName(name) {
		return fmt.Errorf("%q is no name that can be uploaded", name)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	bar := newProgress(name, " sent")
	defer bar.close()
	if err := c.connected(ctx, func() error { return c.upload(file, name, info.Size(), bar) }); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.close()
	bar.finish()
	return nil
}

func (c *client) upload(file *os.File, name string, size int64, bar *progress) error {
	if err := c.sock.Sendall(fmt.Appendf(nil, "put|%s|%d", name, size)); err != nil {
		return err
	}
	for answer := ""; answer != "OK"; {
		n, err := c.receive(len("OK") - len(answer))
		if (err == io.ErrUnexpectedEOF || errors.Is(err, socket.ErrConnectionReset)) && answer == "" {
			err = errors.New("the server has refused the file: it may have one of that name")
		}
		if err != nil {
			return err
		}
		if answer += string(c.buf[:n]); !strings.HasPrefix("OK", answer) {
			return fmt.Errorf("the answer is %q", answer)
		}
	}
	bar.start(size)
	for sent := int64(0); sent < size; {
		n, err := c.sock.Sendfile(file, sent, min(size-sent, chunkSize))
		if err == nil && n == 0 {
			err = &fs.PathError{Op: "read", Path: file.Name(), Err: io.ErrUnexpectedEOF}
		}
		if err != nil {
			return err
		}
		sent += n
		bar.add(n)
	}
	return c.confirm()
}

// confirm waits until the server has received everything. The protocol has no word for it, but the server ends the connection
// when the client has, or resets it after a failure. If it ends while some bytes are on the way, they are lost. Where nobody
// knows whether there are any, a server that ends it sooner than the client may not have received all.
func (c *client) confirm() error {
	n, err := c.sock.Recv(c.buf[:1], socket.MSG_DONTWAIT)
	early := !errors.Is(err, socket.ErrWouldBlock)
	shutdown := c.sock.Shutdown(socket.SHUT_WR)
	if !early {
		n, err = c.awaitEnd() // which says more of a connection that cannot be shut down
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("not confirmed: the server has not ended the connection within %v", c.timeout)
	case err != nil:
		return err
	case n > 0:
		return fmt.Errorf("not confirmed: the server says %q", c.buf[:n])
	}
	if left, known := unacknowledged(c.sock); left > 0 || !known && early {
		return errors.New("not confirmed: the server has ended the connection too early")
	}
	return shutdown
}

// awaitEnd receives what the server says at the end, which may take longer while bytes still arrive there.
func (c *client) awaitEnd() (n int, err error) {
	for {
		before, _ := unacknowledged(c.sock)
		n, err = c.sock.Recv(c.buf[:1])
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if after, _ := unacknowledged(c.sock); after >= before {
			return n, err
		}
	}
}

// get downloads a file.
func (c *client) get(ctx context.Context, root *os.Root, name string) error {
	if !validName(name) {
		return fmt.Errorf("%q is no name that can be downloaded", name)
	}
	if err := checkVacant(root, name, c.overwrite); err != nil {
		return err
	}
	bar := newProgress(name, "")
	defer bar.close()
	download := func() error { return c.download(root, name, bar) }
	err := c.connected(ctx, download)
	if errors.Is(err, errOutOfStep) {
		c.oneByOne = true
		err = c.connected(ctx, download)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	bar.finish()
	return nil
}

func (c *client) download(root *os.Root, name string, bar *progress) error {
	if err := c.sock.Sendall(fmt.Appendf(nil, "get|%s|1", name)); err != nil {
		return err
	}
	size, err := c.receiveSize()
	if err != nil {
		return err
	}
	file, err := newIncoming(root, name, size, c.overwrite)
	if err != nil {
		return err
	}
	bar.start(size)
	if err := c.receiveFile(file, bar); err != nil {
		file.abort()
		return err
	}
	if size == 0 {
		c.close() // the server waits for a message, but would not answer it
	}
	return file.commit()
}

// receiveFile asks for a file until all of it has come: for one piece, and for more while what was asked for comes, and not more. A
// server that sends pieces waits for that. One that sends all for the first message does not, and drops the others.
//
// It never asks for more than half of what is left: should the server take a part of a message for one, it does not get more
// messages than there are pieces.
func (c *client) receiveFile(file *incoming, bar *progress) error {
	defer c.sock.Settimeout(c.timeout) // for what comes after the file
	asked, window := int64(0), int64(1)
	for file.left > 0 {
		if ahead := asked - (file.size - file.left); ahead >= 0 {
			n := max(1, min(window, file.left/pieceSize/2)) - (ahead+pieceSize-1)/pieceSize
			if n > 0 {
				if err := c.ask(n, ahead > 0); err != nil {
					return err
				}
				asked += n * pieceSize
			}
			if !c.oneByOne {
				window = min(2*window, maxWindow)
			}
		}
		n, err := c.receive(int(min(file.left, chunkSize)))
		if err != nil && !c.oneByOne && asked > pieceSize {
			return errOutOfStep
		}
		if err != nil {
			return err
		}
		if _, err := file.Write(c.buf[:n]); err != nil {
			return err
		}
		bar.add(int64(n))
	}
	return nil
}

// ask sends n messages, perhaps in addition to some that have not been answered.
func (c *client) ask(n int64, more bool) error {
	if n == 1 && !more {
		c.sock.Settimeout(c.timeout)
		return c.sock.Sendall([]byte("OK"))
	}
	c.sock.Settimeout(min(stall, c.timeout))
	return c.sock.Sendall(messages[:n*pieceSize])
}

// messages fill what the originals receive at a time.
var messages = bytes.Repeat(fmt.Appendf(nil, "%-*s", pieceSize, "OK"), maxWindow)

// receiveSize receives the answer to get, which is the size of the file.
func (c *client) receiveSize() (int64, error) {
	var answer []byte
	for {
		n, err := c.receive(maxHead)
		if err != nil {
			return 0, err
		}
		answer = append(answer, c.buf[:n]...)
		found, size, err := parseAnswer(answer)
		switch {
		case err == errNotUnderstood:
			return 0, fmt.Errorf("the answer is %.40q", answer)
		case err == nil && !found:
			return 0, errors.New("the server has no such file")
		case err == nil:
			return size, nil
		}
	}
}

// receive receives up to n bytes. The end of the connection is io.ErrUnexpectedEOF.
func (c *client) receive(n int) (int, error) {
	n, err := c.sock.Recv(c.buf[:n])
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
