package wait

import (
	"runtime"
	"sync"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

// An Afd is sockets that are waited for through \Device\Afd, and the waits for them. Its methods are called with the lock held.
type Afd struct {
	Waits
	set      *sys.AfdSet
	cleanup  runtime.Cleanup
	sleeping sync.Mutex // held during Sleep
	alarm    Alarm      // more exact than the timeout of a completion port
	sentry   *sentry    // nil before the first wait together with others
	vain     int        // how often in a row the sentry has called for nothing

	// Of the block that is on.
	entries []sys.AfdEntry
	called  bool // the sentry has called
}

// NewAfd returns an empty Afd.
func NewAfd() (*Afd, error) {
	set, err := sys.NewAfdSet()
	if err != nil {
		return nil, err
	}
	a := &Afd{set: set}
	a.alarm.fire = a.lockAndKick
	a.cleanup = runtime.AddCleanup(a, (*sys.AfdSet).Close, set)
	a.Init(a)
	return a, nil
}

// Release closes the Afd. Waits.Close calls it.
func (a *Afd) Release() error {
	a.cleanup.Stop()
	a.set.Close()
	if a.sentry != nil {
		a.sentry.close()
	}
	return nil
}

// Add adds a socket.
func (a *Afd) Add(fd int, events uint16) error {
	err := a.set.Add(fd, events)
	a.changed(true)
	return err
}

// Modify replaces the events of a socket.
func (a *Afd) Modify(fd int, events uint16) error {
	atOnce, err := a.set.Modify(fd, events)
	a.changed(atOnce)
	return err
}

// Remove removes a socket, which need not be there.
func (a *Afd) Remove(fd int) {
	a.set.Remove(fd)
	a.changed(true)
}

// changed begins the block that is on anew, unless it is in the kernel and a change counts there at once.
func (a *Afd) changed(atOnce bool) {
	if a.way == Together || !atOnce {
		a.Kick()
	}
}

// Report reports what the last Look has found, for up to room sockets.
func (a *Afd) Report(room int, report func(fd int, events uint16)) {
	a.LookFirst = a.set.Report(room, report)
}

// Look implements Set.
func (a *Afd) Look(room int) (n int, err error) {
	if a.way != InKernel {
		a.set.Slept()
		n, err = a.set.Look(room)
	} else {
		n, err = a.lookBesideSleep(room)
	}
	if n > 0 {
		a.vain = 0
	}
	return n, err
}

// lookBesideSleep looks while another goroutine sleeps, or is about to. Each may take from the port what the other needs: the sleeper what
// has just been found, and the looks what is to end the sleep. What they report is not asked for any more until the sleeper does that.
func (a *Afd) lookBesideSleep(room int) (n int, err error) {
	n, err = a.set.Look(room)
	if n == 0 && err == nil {
		a.Wake()
		a.sleeping.Lock()
		a.set.Slept()
		n, err = a.set.Look(room)
		a.sleeping.Unlock()
	}
	if n > 0 || err != nil {
		a.Kick()
	}
	if a.kicked {
		a.Wake()
	}
	return n, err
}

// Watch implements Set.
func (a *Afd) Watch() bool { return true }

// Arm implements Set.
func (a *Afd) Arm(int) {
	if a.set.Ask() != nil {
		a.Kick() // the Look that follows has the error
	}
	if a.way == Together {
		a.entries = a.set.Entries(a.entries[:0])
	}
}

// Sleep implements Set.
func (a *Afd) Sleep(deadline sys.Deadline) (n int, err error) {
	a.sleeping.Lock()
	defer a.sleeping.Unlock()
	if deadline.InBubble() {
		return -1, a.set.Sleep(deadline)
	}
	a.alarm.Set(deadline)
	defer a.alarm.Stop()
	return -1, a.set.Sleep(sys.Never)
}

// Wake implements Set.
func (a *Afd) Wake() { a.set.Post() }

// Disarm implements Set. What Wake leaves behind ends a later Sleep for nothing, which is no harm. If the sentry calls again and again and
// a Look finds nothing, the wait stays apart from then on: a socket may have been closed whose duplicate was not, and its number be
// that of another one.
func (a *Afd) Disarm(bool) {
	const enough = 16
	if a.called {
		a.called = false
		a.vain++
		a.apart = a.vain > enough
	}
}

// share implements sharer.
func (a *Afd) share(deadline sys.Deadline) (n int, err error) {
	if a.sentry == nil {
		a.sentry, err = newSentry()
	}
	if a.apart = err != nil || a.sentry.post(a.ticket, a.entries) != nil; a.apart {
		return 0, nil
	}
	a.ticket.sleep(deadline)
	if a.called = a.sentry.relieve(); a.called {
		// A poll of the set has been completed too, or is just being completed.
		const moment = 20 * time.Millisecond
		a.Lock()
		defer a.Unlock()
		err = a.set.Sleep(sys.After(moment))
	}
	return -1, err
}
