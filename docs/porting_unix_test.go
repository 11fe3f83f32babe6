//go:build unix

package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func startChild(sock *socket.Socket) (*exec.Cmd, error) {
	fd, err := sock.Detach()
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, err
	}
	child := exec.Command("cat")
	child.Stdin, child.Stdout = file, file
	return child, child.Start()
}

func TestChildProcess(t *testing.T) {
	testkit.NeedProcesses(t)
	if _, err := exec.LookPath("cat"); err != nil {
		t.Skip(err)
	}
	sock, peer, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	testkit.Check(t, err)
	defer peer.Close()
	child, err := startChild(sock)
	testkit.Check(t, err)
	testkit.Check(t, peer.Sendall([]byte("spam")))
	testkit.Check(t, peer.Shutdown(socket.SHUT_WR))
	if data, err := io.ReadAll(peer); string(data) != "spam" || err != nil {
		t.Errorf("the child has echoed %q, %v", data, err)
	}
	testkit.Check(t, child.Wait())
}

func Example_interrupt() {
	withPair(func(sel *selectors.DefaultSelector, a, _ *socket.Socket) {
		sel.Register(a, selectors.EventWrite, nil)
		served := 0
		err := untilInterrupted(sel, func(selectors.Ready) {
			served++
			if served == 3 {
				process, _ := os.FindProcess(os.Getpid())
				process.Signal(os.Interrupt)
				sel.Unregister(a)
			}
		})
		fmt.Println(served, err)
	})
	// Output: 3 <nil>
}

func stdinOrServer(server *socket.Socket, buf []byte, say func([]byte), greet func()) error {
	readable, _, _, err := pyselect.Select([]any{os.Stdin, server}, nil, nil, pyselect.Forever)
	for _, obj := range readable {
		switch obj {
		case os.Stdin:
			n, err := os.Stdin.Read(buf)
			if err != nil {
				return err
			}
			say(buf[:n])
		case server:
			greet()
		}
	}
	return err
}

func Example_stdin() {
	stdin, typist, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer stdin.Close()
	os.Stdin, stdin = stdin, os.Stdin
	defer func() { os.Stdin, stdin = stdin, os.Stdin }()
	typist.WriteString("hello\n")
	withPair(func(_ *selectors.DefaultSelector, a, _ *socket.Socket) {
		say := func(text []byte) { fmt.Printf("%s", text) }
		if err := stdinOrServer(a, make([]byte, 100), say, func() {}); err != nil {
			fmt.Println(err)
		}
		typist.Close()
		fmt.Println(stdinOrServer(a, make([]byte, 100), say, func() {}))
	})
	// Output:
	// hello
	// EOF
}

// A poller is what an Epoll and a Poll have in common, with masks of different types.
type poller interface{ Unregister(fd any) error }

func Example_hasattr() {
	_, err := newPoller()
	fmt.Println(err)
	// Output: <nil>
}

func Example_signals() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wakeup, err := signals(ctx, unix.SIGHUP, unix.SIGTERM)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wakeup.Close()
	running := true
	handlers := map[syscall.Signal]func(){
		unix.SIGHUP: func() {
			fmt.Println("reload")
			unix.Kill(os.Getpid(), unix.SIGTERM)
		},
		unix.SIGTERM: func() { running = false },
	}
	unix.Kill(os.Getpid(), unix.SIGHUP)
	for running && err == nil {
		if _, _, _, err = pyselect.Select([]*socket.Socket{wakeup}, nil, nil, pyselect.Forever); err == nil {
			err = handleSignals(wakeup, handlers)
		}
	}
	fmt.Println(err)
	// Output:
	// reload
	// <nil>
}

// writeSome returns what is left of pending.
func writeSome(f *os.File, pending []byte) ([]byte, error) {
	fd, err := pyselect.Fileno(f)
	if err != nil {
		return pending, err
	}
	n, err := unix.Write(fd, pending)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return pending, nil // not now
	case err != nil:
		return pending, err // and n is -1
	}
	return pending[n:], nil
}

func TestWriteSome(t *testing.T) {
	r, w, err := os.Pipe()
	testkit.Check(t, err)
	defer r.Close()
	defer w.Close()
	data := make([]byte, 16<<20) // more than fits
	left, err := writeSome(w, data)
	if len(left) == 0 || len(left) == len(data) || err != nil {
		t.Fatalf("%d of %d are left, %v", len(left), len(data), err)
	}
	for n := -1; n != len(left); { // the kernel may make room while it writes
		n = len(left)
		left, err = writeSome(w, left)
		testkit.Check(t, err)
	}
	write := testkit.Go(t, func() { w.Write(left) }).Blocked() // which writes all
	testkit.Check(t, r.Close())
	write.Wait()
}

func eachLine(pending []byte, handle func(line []byte)) []byte {
	for {
		line, rest, found := bytes.Cut(pending, []byte("\n"))
		if !found {
			return pending
		}
		handle(line)
		pending = rest
	}
}

func Example_lines() {
	handle := func(line []byte) { fmt.Printf("%q\n", line) }
	pending := eachLine([]byte("spam\neg"), handle)
	pending = eachLine(append(pending, "gs\n\n"...), handle)
	fmt.Println(len(pending))
	// Output:
	// "spam"
	// "eggs"
	// ""
	// 0
}

func watchChild(child *exec.Cmd, show func(text []byte, isError bool)) error {
	stdout, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := child.StderrPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for pipes := []io.Reader{stdout, stderr}; len(pipes) > 0; {
		readable, _, _, err := pyselect.Select(pipes, nil, nil, pyselect.Forever)
		if err != nil {
			return err
		}
		for _, pipe := range readable {
			n, err := pipe.Read(buf)
			show(buf[:n], pipe == stderr)
			if err != nil { // io.EOF at the end
				pipes = slices.DeleteFunc(pipes, func(p io.Reader) bool { return p == pipe })
			}
		}
	}
	return child.Wait()
}

func TestWatchChild(t *testing.T) {
	testkit.NeedProcesses(t)
	var texts [2]string
	err := watchChild(exec.Command("sh", "-c", "echo spam; echo eggs >&2"), func(text []byte, isError bool) {
		if isError {
			texts[1] += string(text)
		} else {
			texts[0] += string(text)
		}
	})
	if texts != [...]string{"spam\n", "eggs\n"} || err != nil {
		t.Errorf("%q, %v", texts, err)
	}
}

// That the pipes of a child are waitable is not promised by package os/exec.
func TestStdinPipe(t *testing.T) {
	testkit.NeedProcesses(t)
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	testkit.Check(t, err)
	testkit.Check(t, child.Start())
	_, writable, _, err := pyselect.Select(nil, []io.WriteCloser{stdin}, nil, pyselect.Forever)
	if len(writable) != 1 || err != nil {
		t.Errorf("%d pipes are writable, %v, want 1", len(writable), err)
	}
	testkit.Check(t, stdin.Close())
	testkit.Check(t, child.Wait())
}
