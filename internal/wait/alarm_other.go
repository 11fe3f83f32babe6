//go:build !linux

package wait

import (
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

// An Alarm calls a function at a deadline. Go's timers are exact enough here.
type Alarm struct {
	fire  func()
	timer *time.Timer
}

// NewAlarm returns an alarm that calls fire, which must not wait.
func NewAlarm(fire func()) *Alarm { return &Alarm{fire: fire} }

// Set sets an alarm that is not set.
func (a *Alarm) Set(at sys.Deadline) {
	switch {
	case at == sys.Never:
	case a.timer == nil:
		a.timer = time.AfterFunc(at.Left(), a.fire)
	default:
		a.timer.Reset(at.Left())
	}
}

// Stop makes sure that the alarm does not go off any more, unless it is just doing so.
func (a *Alarm) Stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// Close lets nothing be left of an alarm that is not set any more.
func (a *Alarm) Close() {}
