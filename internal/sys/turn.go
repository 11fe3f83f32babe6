package sys

import "time"

// A Turn lets one goroutine at a time wait in the kernel. The others queue for it, each until its own deadline.
type Turn chan struct{}

// NewTurn returns a turn that nobody has.
func NewTurn() Turn { return make(Turn, 1) }

// Take returns true when the caller has the turn, or false when the deadline has passed or done is closed.
func (t Turn) Take(deadline Deadline, done <-chan struct{}) bool {
	select {
	case t <- struct{}{}:
		return true
	default:
	}

	var near <-chan time.Time
	expired := make(chan struct{}, 1)
	if deadline != Never {
		timer := time.NewTimer(deadline.Before(Lead).Left())
		defer timer.Stop()
		near = timer.C
	}
	for {
		select {
		case t <- struct{}{}:
			return true
		case <-near:
			alarm := Alarm{wake: func() { expired <- struct{}{} }}
			alarm.Set(deadline)
			defer alarm.Stop()
		case <-expired:
			return false
		case <-done:
			return false
		}
	}
}

// Leave gives the turn to the next in the queue.
func (t Turn) Leave() { <-t }
