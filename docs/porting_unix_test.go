//go:build unix

package docs

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
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
	wakeup, err := signalSocket(unix.SIGHUP, unix.SIGTERM)
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
