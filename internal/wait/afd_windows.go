package wait

import (
	"runtime"
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// An Afd is sockets that are waited for through \Device\Afd, and the waits for them. Its methods are called with the lock held.
type Afd struct {
	Waits
	set      *sys.AfdSet
	cleanup  runtime.Cleanup
	sleeping sync.Mutex // held during Sleep
	alarm    Alarm      // more exact than the timeout of a completion port
	post     post       // of a wait together with others
}

// NewAfd returns an empty Afd.
func NewAfd() (*Afd, error) {
	set, err := sys.NewAfdSet()
	if err != nil {
		return nil, err
	}
	a := &Afd{set: set, post: post{event: set.Event()}}
	a.alarm.fire = a.lockAndKick
	a.cleanup = runtime.AddCleanup(a, (*sys.AfdSet).Close, set)
	a.Init(a)
	return a, nil
}

// Release closes the Afd. Waits.Close calls it.
func (a *Afd) Release() error {
	a.cleanup.Stop()
	a.set.Close()
	return nil
}

// Add adds a socket.
func (a *Afd) Add(fd int, events uint16) error { return a.set.Add(fd, events) }

// Modify replaces the events of a socket. It may take from the port what the wait in progress needs.
func (a *Afd) Modify(fd int, events uint16) error {
	err := a.set.Modify(fd, events)
	a.Kick()
	if a.kicked && a.way == InKernel {
		a.Wake()
	}
	return err
}

// Remove removes a socket, which need not be there.
func (a *Afd) Remove(fd int) { a.set.Remove(fd) }

// Report reports what the last Look has found, for up to room sockets.
func (a *Afd) Report(room int, report func(fd int, events uint16)) {
	a.LookFirst = a.set.Report(room, report)
}

// Look implements Set.
func (a *Afd) Look(room int) (n int, err error) {
	if a.way == InKernel {
		return a.lookBesideSleep(room)
	}
	a.set.Slept()
	if n, err = a.set.Look(room); n > 0 || err != nil {
		a.Kick() // what this reports is not asked for any more until the wait in progress does that
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

// Disarm implements Set. What Wake leaves behind ends a later Sleep for nothing, which is no harm.
func (a *Afd) Disarm(bool) {}

// share implements sharer.
func (a *Afd) share(deadline sys.Deadline) (n int, err error) {
	if a.post.take(a.ticket) != nil {
		a.apart = true
		return 0, nil
	}
	a.ticket.sleep(deadline)
	a.post.leave()
	return -1, nil
}
