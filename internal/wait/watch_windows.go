package wait

import (
	"os"
	"runtime"
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// theWatches are those of all goroutines that wait for a socket of their own. One thread waits for all of them.
var theWatches watches

type watches struct {
	mu      sync.Mutex
	port    sys.AfdPort
	opened  bool
	pending int // polls
	packets [64]sys.AfdPacket
}

// A Watch lets two goroutines wait for a socket, one until it is readable and one until it is writable. They share a poll: Windows mixes
// up two of one socket.
type Watch struct {
	socket  sys.BaseSocket
	device  sys.AfdDevice
	cleanup runtime.Cleanup
	read    ticket
	write   ticket

	// With the lock of theWatches.
	poll     sys.AfdPoll
	complete sync.Cond // of poll
	asked    uint16    // by poll
	wanted   uint16    // by those who wait
	closed   bool
}

// Prepare opens the port that all watches share. If it fails, the next call of Prepare tries again.
func Prepare() {
	theWatches.mu.Lock()
	defer theWatches.mu.Unlock()
	theWatches.open()
}

func (w *watches) open() error {
	if w.opened {
		return nil
	}
	port, err := sys.NewAfdPort()
	if err == nil {
		w.port, w.opened = port, true
	}
	return err
}

// NewWatch returns a Watch for a socket. One that becomes unreachable is closed.
func NewWatch(fd int) (*Watch, error) {
	socket, err := sys.Base(fd)
	if err != nil {
		return nil, err
	}
	theWatches.mu.Lock()
	defer theWatches.mu.Unlock()
	if err := theWatches.open(); err != nil {
		return nil, err
	}
	device, err := theWatches.port.Open()
	if err != nil {
		return nil, err
	}
	w := &Watch{socket: socket, device: device}
	w.read.init()
	w.write.init()
	w.poll.Owner = w
	w.complete.L = &theWatches.mu
	w.cleanup = runtime.AddCleanup(w, sys.AfdDevice.Close, device)
	return w, nil
}

// Begin begins a wait for In or Out, which End is to end. The socket has to be open until Begin returns. The error is os.ErrClosed after
// Close.
func (w *Watch) Begin(event uint16) error {
	theWatches.mu.Lock()
	defer theWatches.mu.Unlock()
	w.wanted |= event
	w.cancelUnless(func() bool { return w.asked&event != 0 })
	err := os.ErrClosed
	if !w.closed {
		err = w.ask()
	}
	if err != nil {
		w.wanted = 0
		w.Kick() // for the other one nobody asks any more
		w.closeDevice()
	}
	return err
}

// cancelUnless makes sure that the poll is not pending, unless a condition holds.
func (w *Watch) cancelUnless(ok func() bool) {
	for w.poll.Pending() && !ok() {
		w.poll.Cancel()
		w.asked = 0 // so that nobody who begins relies on it
		w.complete.Wait()
	}
}

// ask starts the poll, if it is not pending.
func (w *Watch) ask() error {
	if w.poll.Pending() {
		return nil
	}
	if err := w.poll.Start(w.device, w.socket, w.wanted); err != nil {
		return err
	}
	w.asked = w.wanted
	if theWatches.pending++; theWatches.pending == 1 {
		go runWatches()
	}
	return nil
}

// End waits until the socket is ready, Kick or Close is called or the deadline has passed. It may also end without a reason.
func (w *Watch) End(event uint16, deadline sys.Deadline) {
	w.ticket(event).sleep(deadline)
	theWatches.mu.Lock()
	defer theWatches.mu.Unlock()
	w.wanted &^= event
	w.cancelUnless(func() bool { return w.wanted != 0 })
	w.closeDevice()
}

func (w *Watch) ticket(event uint16) *ticket {
	if event == sys.In {
		return &w.read
	}
	return &w.write
}

// Kick ends the waits that are on or, if there is none, the next ones.
func (w *Watch) Kick() {
	w.read.call()
	w.write.call()
}

// Close ends all waits.
func (w *Watch) Close() {
	theWatches.mu.Lock()
	defer theWatches.mu.Unlock()
	w.closed = true
	w.Kick()
	w.closeDevice()
}

// closeDevice closes the device, if nobody needs it any more.
func (w *Watch) closeDevice() {
	if w.closed && w.wanted == 0 && !w.poll.Pending() && w.device != 0 {
		w.cleanup.Stop()
		w.device.Close()
		w.device = 0
	}
}

// runWatches wakes those who wait, as long as polls are pending.
func runWatches() {
	w := &theWatches
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.pending > 0 {
		w.mu.Unlock()
		n, _ := w.port.Wait(w.packets[:], sys.Never)
		w.mu.Lock()
		for i := range w.packets[:n] {
			w.packets[i].Poll().Owner.(*Watch).wake()
			w.pending--
		}
	}
}

// wake wakes those who wait for the poll that is complete, unless it was cancelled.
func (w *Watch) wake() {
	w.complete.Broadcast()
	if !w.poll.Found() {
		return
	}
	if w.wanted&sys.In != 0 {
		w.read.call()
	}
	if w.wanted&sys.Out != 0 {
		w.write.call()
	}
}
