//go:build darwin || dragonfly || freebsd

package pyselect_test

import (
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

func TestKqueueUser(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	apply(t, k, kevent(t, 7, pyselect.KQ_FILTER_USER, pyselect.KQ_EV_ADD|pyselect.KQ_EV_CLEAR))
	silent(t, k)
	trigger := kevent(t, 7, pyselect.KQ_FILTER_USER, 0)
	trigger.Fflags = pyselect.KQ_NOTE_TRIGGER | pyselect.KQ_NOTE_FFCOPY | 0x12

	var events []pyselect.Kevent
	var err error
	waiter := testkit.Go(t, func() { events, err = k.Control(nil, 1, pyselect.Forever) }).Blocked()
	apply(t, k, trigger)
	waiter.Wait()
	if err != nil || len(events) != 1 || events[0].Ident != 7 || events[0].Fflags&pyselect.KQ_NOTE_FFLAGSMASK != 0x12 {
		t.Errorf("Control returned %v, %v", events, err)
	}
	if got := pyselect.KQ_FILTER_USER.String(); got != "KQ_FILTER_USER" {
		t.Errorf("String is %q", got)
	}
	silent(t, k)
}
