//go:build unix || windows

package program_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// pipe returns a pipe, both of whose ends are closed at the end of the test.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	testkit.Check(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

func newTerminal(t *testing.T, stdin io.Reader, stdout io.Writer) *program.Terminal {
	t.Helper()
	terminal, err := program.NewTerminal(stdin, stdout)
	testkit.Check(t, err)
	return terminal
}

func TestTerminal(t *testing.T) {
	testkit.NoLeaks(t)
	in, keys := pipe(t)
	screen, out := pipe(t)
	terminal := newTerminal(t, in, out)
	buf := make([]byte, 100)
	if n, err := terminal.Typed.Recv(buf); !errors.Is(err, socket.ErrWouldBlock) {
		t.Errorf("before anything is typed: Recv = %d, %v", n, err)
	}
	terminal.Typed.Setblocking(true)
	for _, line := range []string{"hello\n", "world\n"} {
		io.WriteString(keys, line)
		if n, err := terminal.Typed.Recv(buf); string(buf[:n]) != line || err != nil {
			t.Errorf("%q was typed: Recv = %q, %v", line, buf[:n], err)
		}
		io.WriteString(terminal, line)
		if n, err := screen.Read(buf); string(buf[:n]) != line || err != nil {
			t.Errorf("%q was written: Read = %q, %v", line, buf[:n], err)
		}
	}
	keys.Close()
	if n, err := terminal.Typed.Recv(buf); n > 0 || err != nil {
		t.Errorf("at the end: Recv = %d, %v", n, err)
	}
	terminal.Close()
}

// What was written and logged before Close comes, though whoever reads it is slow. Then the log is what it was.
func TestTerminalWritesAll(t *testing.T) {
	testkit.NoLeaks(t)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	screen, out := pipe(t)
	terminal := newTerminal(t, strings.NewReader(""), out)
	const lines = 5000 // more than a pipe holds
	for i := range lines {
		fmt.Fprintf(terminal, "this is line %d\n", i)
	}
	log.Print("that was all")
	closed := testkit.Go(t, terminal.Close).Blocked()
	r := bufio.NewReader(screen)
	for i := range lines {
		if line, err := r.ReadString('\n'); line != fmt.Sprintf("this is line %d\n", i) || err != nil {
			t.Fatalf("line %d is %q, %v", i, line, err)
		}
	}
	closed.Wait()
	log.Print("that was more")
	if s := logged.String(); !strings.Contains(s, "that was all\n") || !strings.HasSuffix(s, "that was more\n") {
		t.Errorf("the log is %q", s)
	}
}

// Nobody waits for a terminal that shows nothing, and at the end for a moment only.
func TestTerminalStuck(t *testing.T) {
	testkit.NoLeaks(t)
	in, keys := pipe(t)
	screen, out := pipe(t)
	log.SetOutput(out)
	defer log.SetOutput(os.Stderr)
	terminal := newTerminal(t, in, out)
	text := bytes.Repeat([]byte{'x'}, 1000)
	for dropped := false; !dropped; {
		log.Printf("%s", text)
		_, err := terminal.Write(text)
		dropped = errors.Is(err, socket.ErrWouldBlock)
	}
	testkit.Duration(t, time.Second, terminal.Close)
	testkit.Check(t, errors.Join(keys.Close(), screen.Close())) // which ends what the goroutines wait for
}
