//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

// The test binary is the program itself when programEnv is set, to the number of descriptors that it may have open.
const (
	programEnv = "ECHO_TEST_DESCRIPTORS"
	manyFds    = "1000"
	fewFds     = "20"
)

func TestMain(m *testing.M) {
	var limit unix.Rlimit
	if _, err := fmt.Sscan(os.Getenv(programEnv), &limit.Cur); err != nil {
		os.Exit(m.Run())
	}
	limit.Max = limit.Cur
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
	go func() { // not to outlive a test that panics
		io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	main()
}

// A program is one that runs: the example, or a client for it.
type program struct {
	*exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *bufio.Reader
}

func start(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	err := errors.Join(err1, err2, err3, cmd.Start())
	if errors.Is(err, unix.ENOEXEC) || errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no program can be started: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(testkit.Patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		overdue.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &program{cmd, stdin, bufio.NewReader(stdout), bufio.NewReader(stderr)}
}

func startEcho(t *testing.T, fds string, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Skipf("the system does not say what this program is: %v", err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), programEnv+"="+fds, "GORACE=atexit_sleep_ms=0")
	return start(t, cmd)
}

// installed returns a command for a program, or skips the test.
func installed(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	return exec.Command(name, args...)
}

// end waits for the end of a program and returns its exit status and the rest of its output.
func (p *program) end(t *testing.T) (status int, stdout, stderr string) {
	t.Helper()
	out, err1 := io.ReadAll(p.stdout)
	complaints, err2 := io.ReadAll(p.stderr)
	if err := errors.Join(err1, err2); err != nil {
		t.Error(err)
	}
	p.Wait()
	return p.ProcessState.ExitCode(), string(out), string(complaints)
}

// startServer starts a server and returns it and its address.
func startServer(t *testing.T, fds string) (p *program, addr string) {
	t.Helper()
	p = startEcho(t, fds, "-listen", "127.0.0.1:0")
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`^listening on (127\.0\.0\.1:[1-9]\d*)\n$`).FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("the first line is %q", line)
	}
	return p, match[1]
}

// stop interrupts a server and checks that this is its end, and that it had nothing to complain about.
func (p *program) stop(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := p.end(t); status != 0 || stdout != "" || stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

// serveHere runs a server in this process until the returned function is called.
func serveHere(t *testing.T, listener net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testkit.Patience))
	return c.(*net.TCPConn)
}

func random(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// send sends data in another goroutine. The channel gets the error.
func send(c *net.TCPConn, data []byte, finally func() error) <-chan error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- errors.Join(err, finally())
	}()
	return sent
}

// roundTrip checks that data comes back.
func roundTrip(t *testing.T, c *net.TCPConn, data []byte) {
	t.Helper()
	sent := send(c, data, func() error { return nil })
	back := make([]byte, len(data))
	if n, err := io.ReadFull(c, back); err != nil {
		t.Fatalf("%d of %d bytes came back: %v", n, len(data), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back, data) {
		t.Fatal("what came back is not what was sent")
	}
}

// sendUntilStuck sends without reading, until the server takes no more, and returns what it has sent.
func sendUntilStuck(t *testing.T, c *net.TCPConn) (sent []byte) {
	t.Helper()
	const tooMuch = 64 << 20 // more than the buffers of the sockets
	data := random(1 << 20)
	for len(sent) < tooMuch {
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Write(data)
		sent = append(sent, data[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sent
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("the server has taken %d bytes from a client that does not read", len(sent))
	return nil
}
