//go:build unix || windows

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/pyselect/pyselect/socket"
)

const maxSendfile = 128 << 10 // bytes of a file that one turn sends

// checkVacant returns why a name cannot be that of a new file: it is taken, or too long, for instance.
func checkVacant(root *os.Root, name string, overwrite bool) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory", name)
	case err == nil && !overwrite:
		return fmt.Errorf("%s exists, and there is no -overwrite", name)
	}
	return err
}

// An incoming is a file that is not complete. Until it is, it has another name.
type incoming struct {
	*os.File
	root       *os.Root
	temp, name string
	size, left int64 // bytes, in all and to come
	overwrite  bool  // it may replace a file
}

// newIncoming creates a file, with the permissions of that which it is to replace.
func newIncoming(root *os.Root, name string, size int64, overwrite bool) (*incoming, error) {
	temp, mode := ".ftp-"+rand.Text(), fs.FileMode(0o666)
	old, statErr := root.Lstat(name)
	replaces := overwrite && statErr == nil && old.Mode().IsRegular()
	if replaces {
		mode = old.Mode().Perm()
	}
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	f := &incoming{file, root, temp, name, size, size, overwrite}
	if replaces {
		if err := file.Chmod(mode); err != nil { // which the umask does not change
			f.abort()
			return nil, err
		}
	}
	return f, nil
}

// Write writes as much of data as belongs to the file.
func (f *incoming) Write(data []byte) (int, error) {
	n, err := f.File.Write(data[:min(f.left, int64(len(data)))])
	f.left -= int64(n)
	return n, err
}

// commit gives the file its name, unless another one has it now.
func (f *incoming) commit() error {
	err := f.Close()
	if err == nil {
		err = f.publish()
	}
	f.root.Remove(f.temp) // which is there after a failure, and if it is a second name
	return err
}

func (f *incoming) publish() error {
	if f.overwrite {
		return f.root.Rename(f.temp, f.name)
	}
	err := f.root.Link(f.temp, f.name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// There may be no links here. So an empty file takes the name, which fails if there is one, for Rename to replace.
	file, err := f.root.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	file.Close()
	if err = f.root.Rename(f.temp, f.name); err != nil {
		f.root.Remove(f.name)
	}
	return err
}

func (f *incoming) abort() {
	f.Close()
	f.root.Remove(f.temp)
}

// An outgoing is a file that goes out as far as it was asked for.
type outgoing struct {
	*os.File
	name              string
	size, sent, asked int64 // bytes
	whole             bool  // a message asks for all
	half              bool  // the last message was half of an OK
}

func openOutgoing(root *os.Root, name string) (*outgoing, error) {
	if !validName(name) {
		return nil, fs.ErrNotExist
	}
	// A named pipe would wait for somebody to write to it.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &outgoing{File: file, name: name, size: info.Size()}, nil
}

// ask takes what one recv has returned.
func (f *outgoing) ask(messages []byte) {
	var n int64
	n, f.half = countMessages(messages, f.half)
	f.asked = min(f.size, f.asked+n*pieceSize)
	if f.whole || string(messages) == "second_active" {
		f.asked = f.size
	}
}

// send sends some of what was asked for.
func (f *outgoing) send(sock *socket.Socket) (int64, error) {
	n, err := sock.Sendfile(f.File, f.sent, min(f.asked-f.sent, maxSendfile))
	f.sent += n
	return n, err
}
