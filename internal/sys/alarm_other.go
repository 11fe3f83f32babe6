//go:build !linux

package sys

import "time"

// Lead is how long before a deadline a wait leaves Go's timers for an Alarm. They are exact enough here.
const Lead = 0

// An Alarm calls a function at a deadline.
type Alarm struct {
	wake  func()
	timer *time.Timer
}

// Set sets an alarm that is not set.
func (a *Alarm) Set(at Deadline) { a.timer = time.AfterFunc(at.Left(), a.wake) }

// Stop makes sure that the alarm does not go off any more, unless it is just doing so.
func (a *Alarm) Stop() { a.timer.Stop() }
