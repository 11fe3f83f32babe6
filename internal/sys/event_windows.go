package sys

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// An Event is set until a WaitEvents has returned for it.
type Event windows.Handle

// MaxEvents is for how many events a WaitEvents can wait.
const MaxEvents = 64

// NewEvent returns an event that is not set.
func NewEvent() (Event, error) {
	h, err := windows.CreateEvent(nil, 0, 0, nil)
	return Event(h), err
}

// Set sets the event.
func (e Event) Set() { windows.SetEvent(windows.Handle(e)) }

// WaitEvents waits until one of the events is set, and returns which.
func WaitEvents(events []Event) (int, error) {
	n, err := windows.WaitForMultipleObjects(*(*[]windows.Handle)(unsafe.Pointer(&events)), false, windows.INFINITE)
	return int(n), err
}
