package wait

import (
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// A ticket is a goroutine that waits among others.
type ticket struct {
	called chan struct{}
	alarm  Alarm
	places places // in parkingLot
	fd     int    // in theCrowd
	gone   bool   // the ticket has left theCrowd, or must not join it
	failed bool   // theCrowd could not wait for the descriptor
}

var tickets = sync.Pool{New: func() any { return newTicket() }}

func newTicket() *ticket {
	t := new(ticket)
	t.init()
	return t
}

func (t *ticket) init() {
	t.called = make(chan struct{}, 1)
	t.alarm.fire = t.call
}

// call wakes the goroutine, if need be when it falls asleep.
func (t *ticket) call() {
	select {
	case t.called <- struct{}{}:
	default:
	}
}

// sleep sleeps until the ticket is called or the deadline has passed.
func (t *ticket) sleep(deadline sys.Deadline) {
	t.alarm.Set(deadline)
	<-t.called
	t.alarm.Stop()
}

// reset forgets a call.
func (t *ticket) reset() {
	t.gone, t.failed = false, false
	select {
	case <-t.called:
	default:
	}
}
