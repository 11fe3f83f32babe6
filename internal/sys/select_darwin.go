package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// libcSelect wraps select(2) in the variant that C programs get with _DARWIN_UNLIMITED_SELECT. The plain one, which package unix binds,
// refuses descriptors from 1,024 on if the processor is arm64, and makes 10 ms of each shorter timeout if it is amd64.
func libcSelect(nfds int, r, w, x *unix.FdSet, tv *unix.Timeval) (int, error) {
	n, _, errno := syscall_syscall6(libcSelectAddr, uintptr(nfds), uintptr(unsafe.Pointer(r)), uintptr(unsafe.Pointer(w)),
		uintptr(unsafe.Pointer(x)), uintptr(unsafe.Pointer(tv)), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

//go:cgo_import_dynamic libc_select select$DARWIN_EXTSN "/usr/lib/libSystem.B.dylib"

var libcSelectAddr uintptr // of the trampoline in select_darwin.s

// syscall_syscall6 calls a function of libSystem. Package unix uses it in the same way.
//
//go:linkname syscall_syscall6 syscall.syscall6
func syscall_syscall6(fn, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)
