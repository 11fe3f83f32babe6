//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Kevent is a kernel event, with fields of the same size on all systems.
type Kevent struct {
	Ident  uint64
	Filter int16
	Flags  uint16
	Fflags uint32
	Data   int64
	Udata  uint64
}

// Kevents is an array of the system's own kevent structures, whose fields differ in size and type. Most declare udata as a
// pointer. It may be any number, which the garbage collector must not see as one: so this is memory without pointers.
type Kevents []uint64

const keventSize = unsafe.Sizeof(unix.Kevent_t{})

// Resize makes room for n events, and keeps those that are there.
func (k *Kevents) Resize(n int) {
	words := (n*int(keventSize) + 7) / 8
	*k = slices.Grow(*k, max(0, words-len(*k)))[:words]
}

// all returns all events as the system knows them.
func (k Kevents) all() []unix.Kevent_t { return k.view(8 * len(k) / int(keventSize)) }

// view returns the first n events as the system knows them.
func (k Kevents) view(n int) []unix.Kevent_t {
	return unsafe.Slice((*unix.Kevent_t)(unsafe.Pointer(unsafe.SliceData(k))), n)
}

// Set sets event i.
func (k Kevents) Set(i int, e Kevent) {
	raw := &k.view(i + 1)[i]
	clear(unsafe.Slice((*byte)(unsafe.Pointer(raw)), keventSize)) // and not as a type with a pointer: what is there is none
	unix.SetKevent(raw, int(e.Ident), int(e.Filter), int(e.Flags))
	raw.Fflags = e.Fflags
	raw.Data = e.Data
	*(*uintptr)(unsafe.Pointer(&raw.Udata)) = uintptr(e.Udata)
}

// Get returns event i.
func (k Kevents) Get(i int) Kevent {
	raw := &k.view(i + 1)[i]
	return Kevent{
		Ident:  uint64(raw.Ident),
		Filter: int16(raw.Filter),
		Flags:  uint16(raw.Flags),
		Fflags: raw.Fflags,
		Data:   raw.Data,
		Udata:  uint64(*(*uintptr)(unsafe.Pointer(&raw.Udata))),
	}
}
