package main

import (
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/progtest"
)

// A file has its name when it is complete, and no sooner: nothing else stands there before.
func TestNameAppearsOnce(t *testing.T) {
	dir := t.TempDir()
	server, addr := start(t, dir)
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	check(t, err)
	defer unix.Close(fd)
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO)
	check(t, err)
	c := progtest.Dial(t, addr)
	check(t, upload(c, "file", []byte("data")))
	check(t, fetch(c, "file", []byte("data")))
	server.Stop(t, os.Interrupt)
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	check(t, err)
	seen := 0
	for events := buf[:n]; len(events) > 0; {
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if unix.ByteSliceToString(events[unix.SizeofInotifyEvent:end]) == "file" {
			seen++
		}
		events = events[end:]
	}
	if seen != 1 {
		t.Errorf("something has become the file %d times, want once", seen)
	}
}
