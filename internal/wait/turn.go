package wait

import "github.com/pyselect/pyselect/internal/sys"

// A Turn lets one goroutine at a time wait for something. The others queue for it, each until its own deadline.
type Turn chan struct{}

// NewTurn returns a turn that nobody has.
func NewTurn() Turn { return make(Turn, 1) }

// Take returns true when the caller has the turn, or false when the deadline has passed or done is closed.
func (t Turn) Take(deadline sys.Deadline, done <-chan struct{}) bool {
	select {
	case t <- struct{}{}:
		return true
	default:
	}
	if deadline.InBubble() {
		return t.takeInBubble(deadline, done)
	}
	expired := make(chan struct{}, 1)
	alarm := Alarm{fire: func() { expired <- struct{}{} }}
	alarm.Set(deadline)
	defer alarm.Close()
	defer alarm.Stop()
	select {
	case t <- struct{}{}:
		return true
	case <-expired:
		return false
	case <-done:
		return false
	}
}

// Sleep waits until the deadline has passed or done is closed.
func Sleep(deadline sys.Deadline, done <-chan struct{}) {
	if sys.StartGoPoller() != nil { // which timers need
		sys.Sleep(deadline.Left())
		return
	}
	var never Turn // to take
	never.Take(deadline, done)
}

// takeInBubble is Take in a bubble of testing/synctest: no timer goes off there while the goroutine that has the turn is in a system
// call.
func (t Turn) takeInBubble(deadline sys.Deadline, done <-chan struct{}) bool {
	for {
		select {
		case t <- struct{}{}:
			return true
		case <-done:
			return false
		default:
		}
		if deadline.Left() == 0 {
			return false
		}
		pause(deadline)
	}
}

// Leave gives the turn to the next in the queue.
func (t Turn) Leave() { <-t }
