//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Kqueue is a kqueue descriptor and the means to end a wait for it.
//
// A wait occupies a thread, in kevent. Go's poller cannot take a kqueue: it adds a filter for writing, which a kqueue
// refuses, after the one for reading, which stays behind. Closing the descriptor does not end the waits for it, so that a
// Waker is among what is waited for: not an EVFILT_USER, which two of the systems do not have.
//
// The methods are safe for concurrent use, except that nothing may run beside Close, and that Kick and Settle exclude each
// other.
type Kqueue struct {
	fd      int
	waker   *Waker
	kicked  bool
	one     Kevents // of Block
	cleanup runtime.Cleanup
}

// NewKqueue wraps kqueue(2).
func NewKqueue() (*Kqueue, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Kqueue()
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	k, err := KqueueFromFd(fd)
	if err != nil {
		unix.Close(fd)
	}
	return k, err
}

// KqueueFromFd returns a Kqueue that owns fd: it is closed by Close or when the Kqueue is unreachable. Watch must be called
// before any wait.
func KqueueFromFd(fd int) (*Kqueue, error) {
	waker, err := NewWaker()
	if err != nil {
		return nil, err
	}
	k := &Kqueue{fd: fd, waker: waker}
	k.cleanup = runtime.AddCleanup(k, func(fd int) { unix.Close(fd) }, fd)
	return k, nil
}

// Watch makes the kqueue watch the waker.
func (k *Kqueue) Watch() error {
	var change Kevents
	change.Resize(1)
	change.Set(0, Kevent{Ident: uint64(k.waker.Fd()), Filter: unix.EVFILT_READ, Flags: unix.EV_ADD})
	_, err := k.kevent(change.view(1), nil, Now)
	return err
}

// Fd returns the descriptor.
func (k *Kqueue) Fd() int { return k.fd }

// Close closes the descriptor.
func (k *Kqueue) Close() error {
	k.cleanup.Stop()
	k.waker.Close()
	return os.NewSyscallError("close", unix.Close(k.fd))
}

// Kevent wraps kevent(2): it applies the first nchanges of changes, waits for events until the deadline, whatever signals
// arrive, and returns how many of the first nevents of events it has filled in. It is not made to wait for none.
func (k *Kqueue) Kevent(changes Kevents, nchanges int, events Kevents, nevents int, deadline Deadline) (int, error) {
	// The changes are applied by a call that does not sleep. One that does may be interrupted when it has applied them.
	n, err := k.kevent(changes.view(nchanges), events.view(nevents), Now)
	if n != 0 || err != nil || nevents == 0 || deadline == Now {
		return n, err
	}
	return k.kevent(nil, events.view(nevents), deadline)
}

func (k *Kqueue) kevent(changes, events []unix.Kevent_t, deadline Deadline) (int, error) {
	for {
		left := deadline.Left()
		var ts *unix.Timespec
		if deadline != Never {
			v := unix.NsecToTimespec(int64(min(left, longest)))
			ts = &v
		}
		n, err := unix.Kevent(k.fd, changes, events, ts)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("kevent", err)
		case n > 0 || left == 0 || deadline.Left() == 0:
			return n, nil
		}
	}
}

// Kick ends all waits, now and until Settle.
func (k *Kqueue) Kick() {
	if !k.kicked {
		k.kicked = true
		k.waker.Wake()
	}
}

// Settle takes a Kick back.
func (k *Kqueue) Settle() {
	if k.kicked {
		k.kicked = false
		k.waker.Drain()
	}
}

// Block waits until there is an event, which it returns, Kick or Close is called, or the deadline has passed. It may run
// beside Close, but not beside another Block.
func (k *Kqueue) Block(deadline Deadline) (e Kevent, ok bool) {
	if !k.waker.Enter() {
		return Kevent{}, false
	}
	defer k.waker.Leave()
	k.one.Resize(1)
	n, err := k.kevent(nil, k.one.view(1), deadline)
	if n == 0 || err != nil {
		return Kevent{}, false
	}
	return k.one.Get(0), true
}
