package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
)

// openTerminal returns both ends of a terminal of so many columns.
func openTerminal(t *testing.T, columns int) (master, terminal *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	check(t, err)
	check(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	return master, terminal
}

// onTerminal runs a client whose standard input and error output are a terminal of so many columns, where somebody types. It
// returns what is seen there, and the output.
func onTerminal(t *testing.T, columns int, typed string, args ...string) (seen, stdout string) {
	t.Helper()
	master, terminal := openTerminal(t, columns)
	_, err := io.WriteString(master, typed)
	check(t, err)
	cmd := progtest.Command(t, 100, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, &out, terminal
	check(t, cmd.Start())
	terminal.Close()
	overdue := time.AfterFunc(testkit.Patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	data, _ := io.ReadAll(master) // until nobody has the terminal open, which is an error
	cmd.Wait()
	return string(data), out.String()
}

// A bar is one line, whatever the name, and however wide the terminal.
func TestBar(t *testing.T) {
	there := testkit.TempDir(t)
	server, addr := start(t, there, "-overwrite")
	for _, columns := range []int{5, 29, 30, 40, 80, 300} {
		for _, name := range []string{
			"file", strings.Repeat("long", 60), strings.Repeat("文件", 40), "a" + strings.Repeat("文件", 40),
		} {
			here := testkit.TempDir(t)
			write(t, here, name, make([]byte, 10<<20))
			seen, _ := onTerminal(t, columns, "", "put", "-connect", addr, filepath.Join(here, name))
			bars := strings.Split(strings.TrimSuffix(seen, "\r\n"), "\r")[1:]
			if len(bars) < 3 || !strings.HasSuffix(bars[len(bars)-1], "100%") || strings.Contains(bars[len(bars)-2], "100%") {
				t.Errorf("%.10s in %d columns: %q", name, columns, seen)
			}
			for _, bar := range bars {
				wide := strings.Count(bar, "文") + strings.Count(bar, "件")
				if width := len([]rune(bar)) + wide; width >= columns || strings.Contains(bar, "\n") {
					t.Errorf("%.10s in %d columns: a bar takes %d: %q", name, columns, width, bar)
				}
			}
			if columns == 300 && !strings.HasPrefix(bars[0], name+" [") {
				t.Errorf("where there is room for a name of %d bytes, stands %q", len(name), bars[0])
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

// What goes wrong stands on a line of its own, and no bar says that all is done.
func TestErrorBehindBar(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "YES|10")
		io.ReadFull(c, make([]byte, len("get|file|1OK")))
		io.WriteString(c, "some")
	}()
	seen, _ := onTerminal(t, 80, "", "get", "file", "-dir", testkit.TempDir(t), "-connect", listener.Addr().String())
	const bar = "\rfile [%-50s] %3d%%"
	want := fmt.Sprintf(bar+bar+"\r\nftp: file: %v: unexpected EOF\r\n", "", 0, strings.Repeat("#", 20), 40, listener.Addr())
	if seen != want {
		t.Errorf("there is %q, want %q", seen, want)
	}
}

func TestShellOnTerminal(t *testing.T) {
	if _, stdout := onTerminal(t, 80, "help\n\x04", "shell"); stdout != ">>> "+shellHelp+">>> \n" {
		t.Errorf("the output is %q", stdout)
	}
}
