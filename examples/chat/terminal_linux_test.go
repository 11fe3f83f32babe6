package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

// terminals returns the two ends of a terminal, which block. They are closed at the end of the test.
func terminals(t *testing.T) (screen, shell *os.File) {
	t.Helper()
	open := func(name string) *os.File {
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), name)
		t.Cleanup(func() { f.Close() })
		return f
	}
	screen = open("/dev/ptmx")
	number, err := unix.IoctlGetUint32(int(screen.Fd()), unix.TIOCGPTN)
	testkit.Check(t, err)
	testkit.Check(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	return screen, open(fmt.Sprintf("/dev/pts/%d", number))
}

// A terminal on which output is stopped has less room than there is to be shown.
func TestStoppedTerminal(t *testing.T) {
	testkit.NoLeaks(t)
	screen, shell := terminals(t)
	addr, stop := serveHere(t, shell, shell)
	anna, bert := dial(t, addr), dial(t, addr)
	bert.say(t, "I am here\n")
	for anna.line(t) != bert.name+": I am here" {
	}
	for i := range 1000 {
		line := fmt.Sprint(strings.Repeat("x", 100), i)
		anna.say(t, line+"\n")
		bert.hears(t, anna.name+": "+line)
	}
	if _, err := screen.WriteString("Anybody there?\n"); err != nil {
		t.Fatal(err)
	}
	bert.hears(t, "server: Anybody there?")
	stop()
	testkit.Check(t, screen.Close())
	testkit.Check(t, shell.Close())
}
