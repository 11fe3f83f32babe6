package sys

import (
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// fdSets are the arguments and the results of Winsock's select, as large as the number of sockets in them needs.
type fdSets struct {
	in  [3][]uintptr // the sockets, sorted by wait
	out [3][]uintptr // an fd_set each: the number of sockets, in its first 32 bits, and the sockets
}

// reset empties the sets.
func (s *fdSets) reset() {
	for i := range s.in {
		s.in[i] = s.in[i][:0]
	}
}

// add adds the sockets that wait for an event to one of the sets.
func (s *fdSets) add(set int, event uint16, fds []PollFd) error {
	for i := range fds {
		if fds[i].Events&event != 0 {
			s.in[set] = append(s.in[set], uintptr(fds[i].Fd))
		}
	}
	return nil
}

// wait wraps select. It waits until a socket is ready or the deadline has passed and returns the number of sockets in the
// results. When all sets are empty, which Winsock refuses, it sleeps.
func (s *fdSets) wait(deadline Deadline) (int, error) {
	if err := StartWinsock(); err != nil {
		return 0, err
	}
	empty := true
	for i, in := range s.in {
		slices.Sort(in)
		s.in[i] = slices.Compact(in)
		empty = empty && len(in) == 0
	}
	for {
		var sets [3]unsafe.Pointer
		for i, in := range s.in {
			s.out[i] = append(append(s.out[i][:0], uintptr(len(in))), in...)
			if len(in) > 0 {
				sets[i] = unsafe.Pointer(&s.out[i][0])
			}
		}
		left := deadline.Left()
		n, err := 0, error(nil)
		if empty {
			time.Sleep(min(left, longest))
		} else {
			n, err = selectOnce(sets, left)
		}
		switch {
		case err == windows.WSAEINTR:
		case err != nil:
			return 0, err
		case n > 0 || left == 0 || deadline.Left() == 0:
			s.sortResults()
			return n, nil
		}
	}
}

// sortResults prepares the results for found. Winsock promises no order.
func (s *fdSets) sortResults() {
	for i, out := range s.out {
		count := *(*uint32)(unsafe.Pointer(&out[0]))
		s.out[i] = out[:1+count]
		slices.Sort(s.out[i][1:])
	}
}

// found notes the event with the sockets for which the last wait has found it in one of the sets, and returns for how many it is
// the first one.
func (s *fdSets) found(set int, event uint16, fds []PollFd) (n int) {
	for i := range fds {
		f := &fds[i]
		if f.Events&event == 0 {
			continue
		}
		if _, ok := slices.BinarySearch(s.out[set][1:], uintptr(f.Fd)); ok {
			if f.Revents == 0 {
				n++
			}
			f.Revents |= event
		}
	}
	return n
}

// selectOnce wraps select, which takes microseconds.
func selectOnce(sets [3]unsafe.Pointer, timeout time.Duration) (int, error) {
	var tv *windows.Timeval
	if timeout != time.Duration(Never) {
		// Up to a whole microsecond, so that the wait does not end early and begin anew.
		v := windows.NsecToTimeval(int64(min(timeout, longest)) + 999)
		tv = &v
	}
	n, _, errno := syscall.SyscallN(procSelect.Addr(), 0, uintptr(sets[0]), uintptr(sets[1]), uintptr(sets[2]), uintptr(unsafe.Pointer(tv)))
	if int32(n) < 0 {
		return 0, errno
	}
	return int(n), nil
}

// Probe returns WSAENOTSOCK if the descriptor is not an open socket.
func Probe(fd int) error {
	if err := StartWinsock(); err != nil {
		return err
	}
	_, err := windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soType)
	if err == windows.WSAEOPNOTSUPP { // as Wine has it for a file
		err = windows.WSAENOTSOCK
	}
	return err
}
