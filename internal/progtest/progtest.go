//go:build unix || windows

// Package progtest is for the tests of programs: it runs the program under test as a process of its own, and talks to it.
package progtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// The test binary is the program itself when fdsEnv is set, to the number of descriptors that it may have open, if the system has
// a limit of that.
const (
	fdsEnv     = "PROGTEST_DESCRIPTORS"
	defaultFds = 2000
)

// Main is for TestMain: it runs the tests, or, in a process that [Start] has started, the program.
func Main(m *testing.M, program func()) {
	fds, isProgram := os.LookupEnv(fdsEnv)
	if !isProgram {
		prepareTests()
		os.Exit(m.Run())
	}
	prepareProgram(fds)
	program()
}

// A Program is one that runs: the one under test, or one that talks to it.
type Program struct {
	*exec.Cmd
	Stdin          io.WriteCloser
	Stdout, Stderr *bufio.Reader
}

// Start starts the program under test.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	return StartWith(t, defaultFds, args...)
}

// StartWith starts the program under test, and lets it have so many descriptors.
func StartWith(t testing.TB, fds int, args ...string) *Program {
	t.Helper()
	return start(t, Command(t, fds, args...))
}

// Command returns the program under test, which may have so many descriptors and is yet to start.
func Command(t testing.TB, fds int, args ...string) *exec.Cmd {
	t.Helper()
	cmd := testkit.Itself(t, fmt.Sprintf("%s=%d", fdsEnv, fds), args...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// Run starts another program, or skips the test if it is not installed.
func Run(t testing.TB, name string, args ...string) *Program {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	return start(t, exec.Command(name, args...))
}

// start starts a program, which ends with the test, and sooner if it takes too long.
func start(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	testkit.NeedProcesses(t)
	cmd.SysProcAttr = attributes
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	err := errors.Join(err1, err2, err3, cmd.Start())
	if errors.Is(err, syscall.ENOEXEC) || errors.Is(err, fs.ErrNotExist) {
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
	return &Program{cmd, stdin, bufio.NewReader(stdout), bufio.NewReader(stderr)}
}

// Line returns the next line of the output, without its end.
func (p *Program) Line(t testing.TB) string {
	t.Helper()
	line, err := p.Stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("after %q: %v", line, err)
	}
	return line[:len(line)-1]
}

// End waits for the end of a program and returns its exit status and the rest of its output.
func (p *Program) End(t testing.TB) (status int, stdout, stderr string) {
	t.Helper()
	var complaints []byte
	read := make(chan error)
	go func() { // a program that cannot write there does not end
		var err error
		complaints, err = io.ReadAll(p.Stderr)
		read <- err
	}()
	out, err := io.ReadAll(p.Stdout)
	if err := errors.Join(err, <-read); err != nil {
		t.Error(err)
	}
	p.Wait()
	return p.ProcessState.ExitCode(), string(out), string(complaints)
}

// Stop sends a signal to a program and checks that this is its end, and that it had nothing to complain about. It returns
// the rest of its output.
func (p *Program) Stop(t testing.TB, sig os.Signal) (stdout string) {
	t.Helper()
	p.Signal(t, sig)
	status, stdout, stderr := p.End(t)
	if status != 0 || stderr != "" {
		t.Errorf("after %v: status %d, stderr %q", sig, status, stderr)
	}
	return stdout
}

// Serve starts the program under test as a server on a free port, and returns it and its address, which is the first line
// of its output.
func Serve(t testing.TB, args ...string) (p *Program, addr string) {
	t.Helper()
	p = Start(t, append(args, "-listen", "127.0.0.1:0")...)
	return p, p.Line(t)
}

// Dial connects to a server. The connection is closed at the end of the test.
func Dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testkit.Patience))
	return c.(*net.TCPConn)
}

// Random returns n bytes, the same each time.
func Random(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// Send sends data in another goroutine. The channel gets the error.
func Send(c net.Conn, data []byte, finally func() error) <-chan error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- errors.Join(err, finally())
	}()
	return sent
}

// Exchange sends a request and checks that the answer comes, byte for byte.
func Exchange(t testing.TB, c net.Conn, request, answer []byte) {
	t.Helper()
	sent := Send(c, request, func() error { return nil })
	back := make([]byte, len(answer))
	if n, err := io.ReadFull(c, back); err != nil {
		t.Fatalf("%d of %d bytes of the answer came: %v", n, len(answer), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back, answer) {
		t.Fatalf("the answer is %.100q, want %.100q", back, answer)
	}
}

// SendUntilStuck sends without reading, until the server takes no more, and returns what it has sent: a net.Conn whose deadline
// is over does not know that on Windows.
func SendUntilStuck(t testing.TB, c *net.TCPConn) (sent []byte) {
	t.Helper()
	const tooMuch = 64 << 20 // more than the buffers of the sockets
	data := Random(1 << 20)
	s, err := socket.FromConn(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Settimeout(200 * time.Millisecond)
	for len(sent) < tooMuch {
		n, err := s.Send(data)
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

// Reset ends a connection so that the other side sees it break off.
func Reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

// DialMany connects so many clients to a server, or skips the test if the process may not have that many descriptors. Now and
// then it lets another client be served, so that the server has accepted all before: some systems reset those of whom too many wait
// for that.
func DialMany(t testing.TB, addr string, n int, serve func(c *net.TCPConn)) []*net.TCPConn {
	t.Helper()
	testkit.NeedFds(t, n+50)
	clients := make([]*net.TCPConn, n)
	for i := range clients {
		if clients[i] = Dial(t, addr); i%100 == 99 {
			c := Dial(t, addr)
			serve(c)
			c.Close()
		}
	}
	return clients
}

// Usage checks what the server under test, which has this name, says to -h, wrong arguments and bad addresses.
func Usage(t testing.TB, name string) {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		args, stderr string
		status       int
	}{
		{"-h", "usage: " + name + " ", 0},
		{"-listen 127.0.0.1:0 more", name + `: unexpected argument "more"` + "\nusage: " + name + " ", 2},
		{"-bind 127.0.0.1:0", "flag provided but not defined: -bind\nusage: " + name + " ", 2},
		{"-listen", "flag needs an argument: -listen\nusage: " + name + " ", 2},
		{"-listen 127.0.0.1", name + ": ", 1},
		{"-listen 127.0.0.1:65536", name + ": ", 1},
		{"-listen " + taken.Addr().String(), name + ": ", 1},
	} {
		status, stdout, stderr := Start(t, strings.Fields(test.args)...).End(t)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d, nothing and %q...",
				test.args, status, stdout, stderr, test.status, test.stderr)
		}
	}
}

// Verbose checks what a server that was started with -v logs about a client, line by line, while that talks and when it has gone.
func Verbose(t testing.TB, server *Program, addr, name string, talk func(c *net.TCPConn), lines ...string) {
	t.Helper()
	c := Dial(t, addr)
	talk(c)
	c.Close()
	for _, line := range lines {
		logged, err := server.Stderr.ReadString('\n')
		if want := fmt.Sprintf("%s: %v: %s\n", name, c.LocalAddr(), line); logged != want || err != nil {
			t.Fatalf("the server logs %q, want %q: %v", logged, want, err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// Resets resets more connections than a server has descriptors, of which there must be fewer than 50. Another connection lives
// through it all.
func Resets(t *testing.T, server *Program, addr string, exchange func(c *net.TCPConn, data []byte)) {
	t.Helper()
	other := Dial(t, addr)
	for i := range 50 {
		c := Dial(t, addr)
		exchange(c, []byte("hello"))
		if i%10 == 0 {
			SendUntilStuck(t, c)
		}
		Reset(c)
		exchange(other, Random(10000))
	}
	server.Stop(t, os.Interrupt)
}

// OutOfDescriptors checks that clients who are too many for the descriptors of the server under test wait until others are
// gone, and that the server complains once for each time that it tries again. To talk has to end a connection.
func OutOfDescriptors(t testing.TB, retryDelay time.Duration, talk func(c *net.TCPConn)) {
	t.Helper()
	testkit.NotOn(t, "windows", "limit of open descriptors")
	const fds = 20
	complaint := fmt.Sprintf(": too many open files; next try in %v\n", retryDelay)
	begin := time.Now()
	server := StartWith(t, fds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	clients := DialMany(t, addr, fds+10, talk)
	if line, err := server.Stderr.ReadString('\n'); !strings.HasSuffix(line, complaint) {
		t.Fatalf("the server complains %q, want %q: %v", line, complaint, err)
	}
	for _, c := range clients {
		talk(c)
	}
	server.Signal(t, os.Interrupt)
	status, _, stderr := server.End(t)
	complaints, lines := 1+strings.Count(stderr, complaint), 1+strings.Count(stderr, "\n")
	if most := 1 + int(time.Since(begin)/retryDelay); status != 0 || complaints != lines || complaints > most {
		t.Errorf("status %d, %d complaints, want at most %d, stderr %q", status, complaints, most, stderr)
	}
}
