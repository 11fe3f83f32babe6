package progtest

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// Interrupts are the signals that end a program and can be sent to one.
var Interrupts = []os.Signal{os.Interrupt}

// Of programs: each is a group of processes of its own, with those that it starts, because to such a group an interrupt is sent.
var attributes = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}

var (
	kernel32                  = windows.NewLazySystemDLL("kernel32.dll")
	procAllocConsole          = kernel32.NewProc("AllocConsole")
	procFreeConsole           = kernel32.NewProc("FreeConsole")
	procSetConsoleCtrlHandler = kernel32.NewProc("SetConsoleCtrlHandler")
)

// prepareTests makes a console if there is none: programs inherit it, and interrupts come from it.
func prepareTests() {
	if _, err := windows.GetConsoleCP(); err == nil {
		return
	}
	procFreeConsole.Call() // Wine has one then that is of no use
	if ok, _, err := procAllocConsole.Call(); ok == 0 {
		fmt.Fprintln(os.Stderr, "no console, and programs cannot be interrupted:", err)
	}
}

// prepareProgram lets a Ctrl-C interrupt the program under test, which those in a group of their own ignore otherwise.
func prepareProgram(string) {
	if ok, _, err := procSetConsoleCtrlHandler.Call(0, 0); ok == 0 {
		panic(err)
	}
}

// Signal sends a signal to a program: a Ctrl-Break, or a Ctrl-C if the system is Wine, which has no other.
func (p *Program) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if sig != os.Interrupt {
		t.Fatalf("%v cannot be sent", sig)
	}
	group := uint32(p.Process.Pid)
	err := windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, group)
	if err != nil {
		err = windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, group)
	}
	if err != nil {
		t.Fatal(err)
	}
}
