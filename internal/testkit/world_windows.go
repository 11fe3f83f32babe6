package testkit

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
)

// numbers are those of the slots, and lower ones for what is opened beside, in order.
type numbers struct {
	fds   [Slots]int
	spare [4]int
}

// reserve takes numbers that are free. They stay the same.
func (w *World) reserve(int) {
	var fds [len(w.spare) + len(w.fds)]int
	for i := range fds {
		fds[i] = w.standIn()
	}
	slices.Sort(fds[:])
	copy(w.fds[:], fds[copy(w.spare[:], fds[:]):])
	w.t.Cleanup(func() {
		for _, fd := range slices.Concat(w.spare[:], w.fds[:]) {
			windows.CloseHandle(windows.Handle(fd))
		}
	})
}

// standIn opens what is no socket, so that nothing else gets its number.
func (w *World) standIn() int {
	w.t.Helper()
	var h windows.Handle
	self := windows.CurrentProcess()
	Check(w.t, windows.DuplicateHandle(self, self, self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS))
	return int(h)
}

func connect(fileKind) (p [2]int, err error) {
	p[0], p[1], err = sys.Socketpair(windows.AF_INET)
	return p, err
}

func closeAll(p [2]int) {
	for _, fd := range p {
		windows.Closesocket(windows.Handle(fd))
	}
}

// replace frees two numbers: Wine gives the lower one, and Windows the one that was freed last, to what duplicate opens beside. If another
// thread gets that one, there is a further one.
func (w *World) replace(slot, fd int) {
	w.t.Helper()
	closeAny(w.fds[slot])
	freed := 0
	w.take(slot, func() int {
		if freed < len(w.spare) {
			closeAny(w.spare[freed])
			w.spare[freed] = -1
			freed++
		}
		dup, err := duplicate(fd)
		Check(w.t, err)
		return int(dup)
	})
	for i := range freed {
		w.spare[i] = w.standIn()
	}
	slices.Sort(w.spare[:])
}

func (w *World) vacate(slot int) {
	w.t.Helper()
	closeAny(w.fds[slot])
	w.take(slot, w.standIn)
}

func closeAny(fd int) {
	if h := windows.Handle(fd); windows.Closesocket(h) != nil {
		windows.CloseHandle(h)
	}
}

// take opens handles until one has the number of a slot, and closes the others.
func (w *World) take(slot int, open func() int) {
	w.t.Helper()
	for range 100 {
		fd := open()
		if fd == w.fds[slot] {
			return
		}
		defer closeAny(fd)
	}
	w.fds[slot] = -1
	w.t.Skip("another thread has got the number of a handle that was closed")
}

func cram(t testing.TB, fd int) (n int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		m, err := send(fd, buf)
		if err == windows.WSAEWOULDBLOCK {
			return n
		}
		Check(t, err)
		n += m
	}
}

// drain also reads what is still to arrive.
func (f *OpenFile) drain(t testing.TB, fd int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for f.in > 0 || f.alone {
		var n, flags uint32
		err := windows.WSARecv(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(buf)), Buf: &buf[0]}, 1, &n, &flags, nil, nil)
		switch {
		case err == windows.WSAEWOULDBLOCK && becomes(t, fd, sys.In, Patience):
		case n == 0:
			return
		}
		f.in -= int(n)
	}
}

// settle waits until all that was done has arrived at the other ends, as select says.
func (w *World) settle() {
	w.t.Helper()
	var fds []sys.PollFd
	var files []*OpenFile
	for slot, f := range w.slots {
		if f != nil {
			fds, files = append(fds, sys.Entry(w.fds[slot], sys.In|sys.Out)), append(files, f)
		}
	}
	if len(fds) == 0 {
		return
	}
	for deadline := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		for i := range fds {
			fds[i].Revents = 0
		}
		_, err := sys.Select(fds, sys.Now)
		Check(w.t, err)
		differ := false
		for i, f := range files {
			s := f.State()
			in, out := fds[i].Revents&sys.In != 0, fds[i].Revents&sys.Out != 0
			if f.full && out { // what was sent last has left
				f.peer.in += cram(w.t, int(fds[i].Fd))
			}
			differ = differ || in != s.In || out != s.Out
		}
		if !differ {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("select reports %v for %v", fds, files)
		}
	}
}
