package testkit

import (
	"encoding/binary"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Fault is a system call that fails.
type Fault struct {
	Call  uintptr // its number
	Args  Args    // those that it fails with; the others do not matter
	Errno unix.Errno
}

// Args are arguments of a system call by their positions, counted from 0.
type Args map[int]int

// Run calls f in a goroutine with a thread of its own, and there the system call fails. It does not in other goroutines,
// also those that f starts. f ends the test with nothing but an error.
func (fault Fault) Run(t testing.TB, f func()) {
	t.Helper()
	var err error
	Go(t, func() {
		// A filter cannot be removed. Unless it is unlocked, the thread ends with the goroutine. Go's runtime creates no
		// threads, which would inherit the filter, from one that is locked.
		runtime.LockOSThread()
		if err = fault.install(0); err == nil {
			f()
		}
	}).Wait()
	switch err {
	case nil:
	case unix.EINVAL, unix.ENOSYS:
		t.Skipf("the system, or its emulator, has no seccomp filters: %v", err)
	default:
		t.Fatal(err)
	}
}

// RunEverywhere lets the system call fail in all threads of the process, for good. The test needs a process of its own.
func (fault Fault) RunEverywhere(t testing.TB, f func()) {
	t.Helper()
	switch err := fault.install(unix.SECCOMP_FILTER_FLAG_TSYNC); err {
	case nil:
		f()
	case unix.EINVAL, unix.ENOSYS:
		t.Skipf("the system, or its emulator, has no seccomp filters: %v", err)
	default:
		t.Fatal(err)
	}
}

// install gives the thread a filter, see seccomp(2). It need not look at the architecture: the tests make system calls of
// their own one only.
func (fault Fault) install(flags uintptr) error {
	// The filter reads a struct seccomp_data: the number, 12 bytes of other things, and the arguments, 8 bytes each.
	const args = 16
	low := uint32(0) // where the half of an argument is that matters
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 4
	}
	type match struct{ offset, value uint32 }
	matches := []match{{0, uint32(fault.Call)}}
	for pos, value := range fault.Args {
		matches = append(matches, match{args + 8*uint32(pos) + low, uint32(value)})
	}
	var filter []unix.SockFilter
	for i, m := range matches {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: m.offset},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: m.value, Jf: uint8(2*(len(matches)-i) - 1)},
		)
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(fault.Errno)},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
