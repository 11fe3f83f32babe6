//go:build unix || windows

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
)

// The client of a tutorial: one connection for all commands, a message for each piece, also for an empty file, or, where the
// message is second_active, only one.
func TestPythonClient(t *testing.T) {
	const script = `
import os, socket, sys
host, port, here, back, message = sys.argv[1:]
s = socket.create_connection((host, port))
for name in sorted(os.listdir(here)):
    size = os.path.getsize(os.path.join(here, name))
    s.sendall(f"put|{name}|{size}".encode())
    assert s.recv(1024) == b"OK"
    with open(os.path.join(here, name), "rb") as f:
        while size > 0:
            size -= s.send(f.read(1024))
for name in ["missing"] + sorted(os.listdir(here)):
    s.sendall(f"get|{name}|0".encode())
    answer, size = s.recv(1024).decode().split("|")
    size = int(size)
    if name == "missing":
        assert answer == "NO"
        continue
    assert answer == "YES"
    s.sendall(message.encode())
    with open(os.path.join(back, name), "wb") as f:
        while size > 0:
            data = s.recv(1024)
            f.write(data)
            size -= len(data)
            if size > 0 and message != "second_active":
                s.sendall(message.encode())
`
	for _, message := range []string{"OK", "more", "second_active"} {
		here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
		server, addr := start(t, there)
		host, port, _ := net.SplitHostPort(addr)
		sizes := []int{0, 1, 1024, 4<<20 + 1}
		for _, size := range sizes {
			write(t, here, fmt.Sprint(size), progtest.Random(size))
		}
		python := progtest.Run(t, "python3", "-c", script, host, port, here, back, message)
		if status, stdout, stderr := python.End(t); status != 0 {
			t.Fatalf("%s: status %d, stdout %q, stderr %q", message, status, stdout, stderr)
		}
		server.Stop(t, os.Interrupt)
		for _, size := range sizes {
			for _, dir := range []string{there, back} {
				data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(size)))
				if !bytes.Equal(data, progtest.Random(size)) {
					t.Errorf("%s: of %d bytes, %s has %d others: %v", message, size, dir, len(data), err)
				}
			}
		}
	}
}

// The server of a tutorial: what one recv returns is a command or a message, and what is neither ends the connection. For each
// message it sends a piece, or all. It may receive more at a time than usual, or want to see an OK.
func TestPythonServer(t *testing.T) {
	const script = `
import os, selectors, socket, sys
folder, piece, most, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
sel = selectors.DefaultSelector()
state = {}

def accept(listener):
    conn, _ = listener.accept()
    state[conn] = None
    sel.register(conn, selectors.EVENT_READ, read)

def read(conn):
    try:
        data = conn.recv(most)
        if state[conn] is None:
            command, name, size = data.decode().split("|")
            path = os.path.join(folder, name)
            if command == "put":
                conn.sendall(b"OK")
                state[conn] = put(conn, path, int(size))
                next(state[conn])
            elif os.path.exists(path):
                conn.sendall(b"YES|%d" % os.path.getsize(path))
                state[conn] = get(conn, path, os.path.getsize(path))
                next(state[conn])
            else:
                conn.sendall(b"NO|0")
        else:
            state[conn].send(data)
    except StopIteration:
        state[conn] = None
    except Exception as e:
        if data:
            print(data, repr(e), file=sys.stderr)
        sel.unregister(conn)
        conn.close()

def put(conn, path, size):
    with open(path, "wb") as f:
        while size > 0:
            data = yield
            f.write(data)
            size -= len(data)

def get(conn, path, size):
    with open(path, "rb") as f:
        while True:
            message = yield
            if wanted not in (b"", message):
                raise ValueError(message)
            data = f.read(piece)
            conn.sendall(data)
            size -= len(data)
            if size <= 0:
                return

listener = socket.create_server(("127.0.0.1", 0))
sel.register(listener, selectors.EVENT_READ, accept)
print("%s:%d" % listener.getsockname(), flush=True)
while True:
    for key, _ in sel.select():
        key.data(key.fileobj)
`
	for _, test := range []struct {
		piece, most, wanted string
		sizes               []int
		complains           string
	}{
		{"1024", "1024", "", []int{0, 1, 1024, 1025, 4<<20 + 1}, ""},
		{"1000000000", "1024", "", []int{0, 1, 1023, 1025, 4<<20 + 1}, ""},
		{"1024", "4096", "", []int{0, 1, 1024, 1025, 1<<20 + 1}, ""},
		{"1024", "1024", "OK", []int{0, 1, 1024, 1025, 1<<20 + 1}, "ValueError"},
	} {
		here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
		server := progtest.Run(t, "python3", "-c", script, there, test.piece, test.most, test.wanted)
		addr := server.Line(t)
		put, get := []string{"put", "-connect", addr}, []string{"get", "-connect", addr, "-dir", back}
		for _, size := range test.sizes {
			name := fmt.Sprint(size)
			write(t, here, name, progtest.Random(size))
			put, get = append(put, filepath.Join(here, name)), append(get, name)
		}
		for _, args := range [][]string{put, get} {
			if status, _, stderr := runClient(t, args...); status != 0 {
				t.Errorf("%s: status %d, stderr %q", args[0], status, stderr)
			}
		}
		missing := "ftp: missing: " + addr + ": the server has no such file\n"
		status, _, stderr := runClient(t, "get", "-connect", addr, "-dir", back, "missing")
		if status != 1 || stderr != missing {
			t.Errorf("status %d, stderr %q, want %q", status, stderr, missing)
		}
		for _, size := range test.sizes {
			for _, dir := range []string{there, back} {
				data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(size)))
				if !bytes.Equal(data, progtest.Random(size)) {
					t.Errorf("of %d bytes, %s has %d others: %v", size, dir, len(data), err)
				}
			}
		}
		server.Process.Kill()
		if _, _, stderr := server.End(t); (stderr != "") != (test.complains != "") || !strings.Contains(stderr, test.complains) {
			t.Errorf("the server complains: %q, want %q", stderr, test.complains)
		}
	}
}
