package sys

import "golang.org/x/sys/windows"

// StartGoPoller has nothing to do: Go's poller needs no descriptors of those that may run out.
func StartGoPoller() error { return nil }

// wakerPair returns two sockets: select takes nothing else. They send without delay, because the byte of a Wake that comes
// soon after a Drain would otherwise wait for the acknowledgement of the one before.
func wakerPair() (r, w int, err error) { return Socketpair(windows.AF_INET) }

// Wake makes the descriptor readable. The send can only fail because nothing more fits in, and then it is readable.
func (w *Waker) Wake() {
	var one [1]byte
	var sent uint32
	windows.WSASend(windows.Handle(w.w), &windows.WSABuf{Len: 1, Buf: &one[0]}, 1, &sent, 0, nil, nil)
}

// Drain makes the descriptor unreadable again.
func (w *Waker) Drain() {
	var buf [64]byte
	for {
		var n, flags uint32
		err := windows.WSARecv(windows.Handle(w.r), &windows.WSABuf{Len: uint32(len(buf)), Buf: &buf[0]}, 1, &n, &flags, nil, nil)
		if err != nil || int(n) < len(buf) {
			return
		}
	}
}

func closeWaker(fd int) { windows.Closesocket(windows.Handle(fd)) }
