package sys_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

func newAfdSet(t *testing.T) *sys.AfdSet {
	t.Helper()
	testkit.NoLeaks(t)
	s, err := sys.NewAfdSet()
	testkit.Check(t, err)
	t.Cleanup(s.Close)
	return s
}

// report returns what a Look finds.
func report(t *testing.T, s *sys.AfdSet, room int) map[int]uint16 {
	t.Helper()
	_, err := s.Look(room)
	testkit.Check(t, err)
	found := map[int]uint16{}
	s.Report(room, func(fd int, events uint16) { found[fd] = events })
	return found
}

func TestAfdSet(t *testing.T) {
	s := newAfdSet(t)
	a, b := testkit.Socketpair(t)
	testkit.Check(t, s.Add(a, sys.In|sys.Out))
	for range 3 {
		if found := report(t, s, 1); found[a] != sys.Out {
			t.Errorf("found %v", found)
		}
	}
	testkit.Write(t, b, "x")
	if found := report(t, s, 1); found[a] != sys.In|sys.Out {
		t.Errorf("found %v", found)
	}
	testkit.Check(t, s.Modify(a, sys.In))
	if found := report(t, s, 1); found[a] != sys.In {
		t.Errorf("found %v", found)
	}
	testkit.Drain(t, a)
	if found := report(t, s, 1); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	s.Remove(a)
	testkit.Close(t, b)
	if err := s.Add(b, sys.In); !errors.Is(err, windows.WSAENOTSOCK) {
		t.Errorf("error is %v", err)
	}
}

// What a Look does depends on what was reported, and not on what is there.
func TestAfdSetAsksForWhatWasReported(t *testing.T) {
	s := newAfdSet(t)
	idle, _ := testkit.Socketpair(t)
	for range 200 {
		testkit.Check(t, s.Add(testkit.Dup(t, idle, 0), sys.In))
	}
	a, _ := testkit.Socketpair(t)
	testkit.Check(t, s.Add(a, sys.Out))
	for range 3 {
		if found := report(t, s, 10); len(found) != 1 || s.ToAsk() != 1 {
			t.Errorf("found %v, and the next Look asks for %d", found, s.ToAsk())
		}
	}
	if found := report(t, s, 10); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

// A slot is free as soon as the kernel has completed both polls of its socket.
func TestAfdSetFreesSlots(t *testing.T) {
	s := newAfdSet(t)
	a, _ := testkit.Socketpair(t)
	for range 200 {
		testkit.Check(t, s.Add(a, sys.In))
		s.Remove(a)
		testkit.Eventually(t, "a free slot", func() bool {
			report(t, s, 1)
			_, used := s.Slots()
			return used == 0
		})
	}
	if all, _ := s.Slots(); all > 32 {
		t.Errorf("room for %d", all)
	}
}

func TestAfdSetSleep(t *testing.T) {
	s := newAfdSet(t)
	a, b := testkit.Socketpair(t)
	testkit.Check(t, s.Add(a, sys.In))
	testkit.Duration(t, time.Millisecond, func() { testkit.Check(t, s.Sleep(sys.After(time.Millisecond))) })
	s.Post()
	testkit.Check(t, s.Sleep(sys.Never))
	s.Slept()
	if found := report(t, s, 1); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	sleep := testkit.Go(t, func() { testkit.Check(t, s.Sleep(sys.Never)) })
	sleep.Blocked()
	testkit.Write(t, b, "x")
	sleep.Wait()
	s.Slept()
	if found := report(t, s, 1); found[a] != sys.In {
		t.Errorf("found %v", found)
	}
}

// If the poll for the end of a socket is cancelled by somebody else, it is started again. Until then, nobody waits for it.
func TestAfdSetLosesPoll(t *testing.T) {
	s := newAfdSet(t)
	a, _ := testkit.Socketpair(t)
	testkit.Check(t, s.Add(a, sys.Out))
	s.Lose(a)
	for range 20 {
		report(t, s, 1)
		time.Sleep(time.Millisecond)
	}
	testkit.Close(t, a)
	testkit.Eventually(t, "the end of the socket to be known", func() bool { return s.Gone(a) })
}

// Windows may complete one poll of a socket for what another one of it has asked, which it then does not complete.
func TestAfdSetMixedUp(t *testing.T) {
	s := newAfdSet(t)
	a, b := testkit.Socketpair(t)
	testkit.Check(t, s.Add(a, sys.In))
	testkit.Check(t, s.MixUp(a))
	for range 2 {
		testkit.Write(t, b, "x")
		testkit.Eventually(t, "the socket to be found", func() bool { return report(t, s, 1)[a] == sys.In })
		testkit.Drain(t, a)
	}
	testkit.Close(t, a)
	testkit.Eventually(t, "the socket to be gone", func() bool {
		report(t, s, 1)
		_, used := s.Slots()
		return used == 0
	})
}
