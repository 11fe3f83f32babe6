//go:build unix || windows

package wait_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

func TestTurn(t *testing.T) {
	testkit.NoLeaks(t)
	turn, done := wait.NewTurn(), make(chan struct{})
	takes := func(want bool, deadline sys.Deadline) {
		if turn.Take(deadline, done) != want {
			t.Errorf("Take is %t", !want)
		}
	}
	takes(true, sys.Now)

	// The queue is served in order, and who leaves it does not disturb it.
	var queue []*testkit.Call
	for range 3 {
		queue = append(queue, testkit.Go(t, func() { takes(true, sys.Never) }).Blocked())
	}
	for _, timeout := range []time.Duration{1, 300 * time.Microsecond, 3 * time.Millisecond} {
		testkit.Duration(t, timeout, func() { takes(false, sys.After(timeout)) })
	}
	for i, call := range queue {
		turn.Leave()
		call.Wait()
		for _, later := range queue[i+1:] {
			later.Blocked()
		}
	}

	leaves := testkit.Go(t, func() { takes(false, sys.After(time.Hour)) }).Blocked()
	close(done)
	leaves.Wait()
	turn.Leave()
	takes(true, sys.Never) // what is free is taken
}

func TestTurnInBubble(t *testing.T) {
	testkit.NoLeaks(t)
	turn := wait.NewTurn()
	tries := make(chan struct{}, 9)
	takes := func(want bool, timeout time.Duration, ended bool) {
		synctest.Test(t, func(t *testing.T) {
			done := make(chan struct{})
			if ended {
				go close(done)
			}
			tries <- struct{}{}
			if turn.Take(sys.After(timeout), done) != want {
				t.Errorf("Take is %t", !want)
			}
		})
	}
	takes(true, time.Hour, false)
	for _, timeout := range []time.Duration{1, 300 * time.Microsecond, 3 * time.Millisecond} {
		testkit.Duration(t, timeout, func() { takes(false, timeout, false) })
	}
	takes(false, time.Hour, true)
	for range 5 {
		<-tries
	}
	call := testkit.Go(t, func() { takes(true, time.Hour, false) })
	receive(t, tries)
	turn.Leave()
	call.Wait()
}

// receive returns what comes from a channel.
func receive[E any](t *testing.T, from <-chan E) (e E) {
	t.Helper()
	select {
	case e = <-from:
	case <-time.After(testkit.Patience):
		t.Fatal("nothing comes")
	}
	return e
}

func TestAlarmAgainAndAgain(t *testing.T) {
	testkit.NoLeaks(t)
	random := rand.New(rand.NewPCG(1, 2))
	var alarm *wait.Alarm
	var rings chan struct{}
	for range 60 {
		if alarm == nil {
			ring := make(chan struct{}, 1)
			alarm, rings = wait.NewAlarm(func() { ring <- struct{}{} }), ring
		}
		timeout := []time.Duration{1, 100_000, 1_000_000, 2_100_000, 3_000_000, 5_000_000, time.Hour}[random.IntN(7)]
		deadline := sys.After(timeout)
		alarm.Set(deadline)
		if timeout < time.Hour && random.IntN(2) == 0 {
			receive(t, rings)
			if left := deadline.Left(); left > 0 {
				t.Fatalf("an alarm for %v rings %v too early", timeout, left)
			}
			alarm.Stop()
			continue
		}
		alarm.Stop()
		if deadline.Left() == 0 {
			alarm = nil // it may have rung
			continue
		}
		if timeout < time.Hour && random.IntN(2) == 0 {
			sys.Select(nil, deadline)
		}
		if len(rings) > 0 {
			t.Fatal("an alarm rings that was stopped")
		}
	}
}

func TestManyAlarms(t *testing.T) {
	testkit.NoLeaks(t)
	random := rand.New(rand.NewPCG(1, 2))
	const n = 400
	alarms, deadlines := make([]*wait.Alarm, n), make([]sys.Deadline, n)
	rings := make(chan int, 2*n)
	for i := range alarms {
		alarms[i] = wait.NewAlarm(func() { rings <- i })
		deadlines[i] = sys.After(1 + time.Duration(random.IntN(8_000_000)))
		alarms[i].Set(deadlines[i])
	}
	over, left := map[int]bool{}, n
	for i := 0; i < n; i += 3 {
		alarms[i].Stop()
		over[i] = deadlines[i].Left() > 0 // otherwise it may have rung
		left--
	}
	for left > 0 {
		i := receive(t, rings)
		if over[i] || deadlines[i].Left() > 0 {
			t.Errorf("alarm %d rings too early, again or after it was stopped", i)
		}
		over[i] = true
		if i%3 != 0 {
			left--
		}
	}
	for _, alarm := range alarms { // until here, as one that nobody can stop need not ring
		alarm.Stop()
	}
}
