//go:build unix && !linux && !darwin

package sys

import "golang.org/x/sys/unix"

// libcSelect wraps select(2).
func libcSelect(nfds int, r, w, x *unix.FdSet, tv *unix.Timeval) (int, error) {
	return unix.Select(nfds, r, w, x, tv)
}
