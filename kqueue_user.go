//go:build darwin || dragonfly || freebsd

package pyselect

import "golang.org/x/sys/unix"

// KQ_FILTER_USER is an event that the program causes itself. Python does not have it, nor its flags.
const KQ_FILTER_USER KqFilter = unix.EVFILT_USER

// Flags of KQ_FILTER_USER, for the field Fflags.
const (
	KQ_NOTE_FFNOP      uint32 = unix.NOTE_FFNOP      // leave the flags
	KQ_NOTE_FFAND      uint32 = unix.NOTE_FFAND      // and the flags
	KQ_NOTE_FFOR       uint32 = unix.NOTE_FFOR       // or the flags
	KQ_NOTE_FFCOPY     uint32 = unix.NOTE_FFCOPY     // replace the flags
	KQ_NOTE_FFCTRLMASK uint32 = unix.NOTE_FFCTRLMASK // mask of the operations above
	KQ_NOTE_FFLAGSMASK uint32 = unix.NOTE_FFLAGSMASK // mask of the flags, which are the program's own
	KQ_NOTE_TRIGGER    uint32 = unix.NOTE_TRIGGER    // cause the event
)

func init() { kqFilterNames = append(kqFilterNames, kqFilterName{KQ_FILTER_USER, "KQ_FILTER_USER"}) }
