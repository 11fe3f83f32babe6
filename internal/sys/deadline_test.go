package sys_test

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

const (
	generous = 30 * time.Second      // how late a deadline may pass
	tick     = 16 * time.Millisecond // of the coarsest clock
)

var timeouts = []time.Duration{1, time.Microsecond, time.Millisecond, time.Hour, 87600 * time.Hour}

func TestDeadline(t *testing.T) {
	for timeout, want := range map[time.Duration]sys.Deadline{0: sys.Now, -1: sys.Now, math.MinInt64: sys.Now, math.MaxInt64: sys.Never,
		20*365*24*time.Hour - 1: sys.Never, // which would be a deadline in a bubble
	} {
		if d := sys.After(timeout); d != want {
			t.Errorf("%v: got %d, want %d", timeout, d, want)
		}
	}
	all := []sys.Deadline{sys.Now}
	for _, timeout := range timeouts {
		begin, d := time.Now(), sys.After(timeout)
		all = append(all, d)
		left := d.Left()
		if took := time.Since(begin); left > timeout || left < max(0, timeout-took) {
			t.Errorf("%v: %v are left after %v", timeout, left, took)
		}
	}
	all = append(all, sys.Never)
	if !slices.IsSorted(all) || min(sys.Never, all[2]) != all[2] || min(sys.Now, all[2]) != sys.Now {
		t.Errorf("not in ascending order: %d", all)
	}
	if now, never := sys.Now.Left(), sys.Never.Left(); now != 0 || never != math.MaxInt64 {
		t.Errorf("%v and %v are left until Now and Never", now, never)
	}
}

// The clock of a bubble stands still or jumps. That of a deadline does neither.
func TestDeadlineInBubble(t *testing.T) {
	bubbled := func(want bool) {
		t.Helper()
		if sys.InBubble() != want || sys.Now.InBubble() || sys.Never.InBubble() {
			t.Errorf("InBubble is not %t, or Now or Never is one of a bubble", want)
		}
		for _, timeout := range timeouts {
			if sys.After(timeout).InBubble() != want {
				t.Errorf("%v: InBubble is %t", timeout, !want)
			}
		}
	}
	bubbled(false)
	synctest.Test(t, func(*testing.T) {
		bubbled(true)
		for _, timeout := range timeouts {
			d := sys.After(timeout)
			time.Sleep(10_000 * time.Hour)
			if left := d.Left(); left > timeout+tick || left < max(0, timeout-generous) {
				t.Errorf("%v: %v are left", timeout, left)
			}
		}
	})
	bubbled(false)
}

func TestDeadlinePasses(t *testing.T) {
	for _, timeout := range []time.Duration{1, 10 * time.Microsecond, 3 * time.Millisecond} {
		pass := func(*testing.T) {
			for d := sys.After(timeout); d.Left() > 0; {
			}
		}
		for name, run := range map[string]func(){"outside": func() { pass(t) }, "in a bubble": func() { synctest.Test(t, pass) }} {
			begin := time.Now()
			run()
			if took := time.Since(begin); took < timeout || took > generous {
				t.Errorf("%s: took %v, want %v", name, took, timeout)
			}
		}
	}
}
