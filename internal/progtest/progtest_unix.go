//go:build unix

package progtest

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Interrupts are the signals that end a program and can be sent to one.
var Interrupts = []os.Signal{unix.SIGINT, unix.SIGTERM}

var attributes *syscall.SysProcAttr // of programs

func prepareTests() {}

// prepareProgram lets the program under test have so many descriptors.
func prepareProgram(fds string) {
	var limit unix.Rlimit
	if _, err := fmt.Sscan(fds, &limit.Cur); err != nil {
		panic(err)
	}
	limit.Max = limit.Cur
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
}

// Signal sends a signal to a program.
func (p *Program) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
