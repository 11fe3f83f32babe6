package sys_test

import (
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

// A port can be waited for like an event that is set as long as there is something to take, and the wait takes nothing.
func TestWaitForPort(t *testing.T) {
	port, err := sys.NewAfdPort()
	testkit.Check(t, err)
	defer port.Close()
	bell, err := sys.NewEvent()
	testkit.Check(t, err)
	defer windows.CloseHandle(windows.Handle(bell))
	wait := func(want int) {
		t.Helper()
		if i, err := sys.WaitEvents([]sys.Event{port.Event(), bell}); i != want || err != nil {
			t.Errorf("the wait has ended for %d, %v; want %d", i, err, want)
		}
	}
	take := func(want int) {
		t.Helper()
		if n, err := port.Wait(make([]sys.AfdPacket, 8), sys.Now); n != want || err != nil {
			t.Errorf("took %d packets, %v; want %d", n, err, want)
		}
	}
	bell.Set()
	wait(1)
	port.Post()
	port.Post()
	wait(0)
	wait(0)
	take(2)
	bell.Set()
	wait(1)
	call := testkit.Go(t, func() { wait(0) }).Blocked()
	port.Post()
	call.Wait()
	take(1)
}
