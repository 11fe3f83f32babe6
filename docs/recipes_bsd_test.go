//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package docs

import (
	"os/exec"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// onEvents calls happened with the events of a new kqueue. A kqueue is itself readable when it has some.
func onEvents(
	sel selectors.BaseSelector, changes []pyselect.Kevent, happened func(pyselect.Kevent) error,
) (*pyselect.Kqueue, error) {
	kq, err := pyselect.NewKqueue()
	if err != nil {
		return nil, err
	}
	if _, err = kq.Control(changes, 0, 0); err == nil {
		_, err = sel.Register(kq, selectors.EventRead, func() error {
			events, err := kq.Control(nil, len(changes), 0)
			for _, e := range events {
				if err := happened(e); err != nil {
					return err
				}
			}
			return err
		})
	}
	if err != nil {
		kq.Close()
		return nil, err
	}
	return kq, nil
}

// systemEvents are the end of a child, SIGHUP, a second that has passed, and that a file was written to or removed.
func systemEvents(child *exec.Cmd, file int) []pyselect.Kevent {
	signal.Ignore(unix.SIGHUP) // which a kqueue reports all the same
	const flags = pyselect.KQ_EV_ADD | pyselect.KQ_EV_CLEAR
	return []pyselect.Kevent{
		{Filter: pyselect.KQ_FILTER_PROC, Ident: uint64(child.Process.Pid), Flags: flags, Fflags: pyselect.KQ_NOTE_EXIT},
		{Filter: pyselect.KQ_FILTER_SIGNAL, Ident: uint64(unix.SIGHUP), Flags: flags},
		{Filter: pyselect.KQ_FILTER_TIMER, Ident: 1, Flags: flags, Data: 1000}, // milliseconds
		{Filter: pyselect.KQ_FILTER_VNODE, Ident: uint64(file), Flags: flags, Fflags: pyselect.KQ_NOTE_WRITE | pyselect.KQ_NOTE_DELETE},
	}
}

func TestSystemEvents(t *testing.T) {
	sel := newSelector(t)
	child := exec.Command("cat")
	end, err := child.StdinPipe()
	testkit.Check(t, err)
	if err := child.Start(); err != nil {
		t.Skipf("no program can be started: %v", err)
	}
	file := testkit.File(t)
	fd, err := pyselect.Fileno(file)
	testkit.Check(t, err)
	defer signal.Reset(unix.SIGHUP)
	seen := make(map[pyselect.KqFilter]bool)
	kq, err := onEvents(sel, systemEvents(child, fd), func(e pyselect.Kevent) error {
		if seen[e.Filter] = true; len(seen) == 4 {
			return errSeen
		}
		return nil
	})
	testkit.Check(t, err)
	defer kq.Close()
	testkit.Check(t, end.Close())
	testkit.Check(t, unix.Kill(unix.Getpid(), unix.SIGHUP))
	_, err = file.WriteString("more")
	testkit.Check(t, err)
	runs(t, sel)
	testkit.Check(t, child.Wait())
}
