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
	const lines = 100 // so long that a pipe does not hold them
	long := strings.Repeat("x", 1000)
	for i := range lines {
		fmt.Fprintln(terminal, long, i)
	}
	log.Print("that was all")
	closed := testkit.Go(t, terminal.Close).Blocked()
	r := bufio.NewReader(screen)
	for i := range lines {
		if line, err := r.ReadString('\n'); line != fmt.Sprintln(long, i) || err != nil {
			t.Fatalf("line %d is %q, %v", i, line, err)
		}
	}
	closed.Wait()
	log.Print("that was more")
	if s := logged.String(); !strings.Contains(s, "that was all\n") || !strings.HasSuffix(s, "that was more\n") {
		t.Errorf("the log is %q", s)
	}
}

// Where something was dropped, it is said how much.
func TestTerminalCountsDropped(t *testing.T) {
	testkit.NoLeaks(t)
	screen, out := io.Pipe()
	terminal := newTerminal(t, strings.NewReader(""), out)
	var want []string
	lines, dropped := 0, 0
	write := func() bool {
		lines++
		if _, err := fmt.Fprintln(terminal, lines); errors.Is(err, socket.ErrWouldBlock) {
			dropped++
			return false
		}
		if dropped > 0 {
			want = append(want, fmt.Sprintf("(lines dropped: %d)", dropped))
			dropped = 0
		}
		want = append(want, fmt.Sprint(lines))
		return true
	}
	fill := func() {
		for write() {
		}
	}
	r := bufio.NewReader(screen)
	shows := func(want string) {
		t.Helper()
		if line, err := r.ReadString('\n'); line != want+"\n" || err != nil {
			t.Fatalf("the terminal shows %q, want %q: %v", line, want, err)
		}
	}
	fill()
	shows(want[0])
	testkit.Eventually(t, "room", write)
	fill()
	for _, line := range want[1:] {
		shows(line)
	}
	closed := testkit.Go(t, terminal.Close)
	shows(fmt.Sprintf("(lines dropped: %d)", dropped))
	closed.Wait()
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
