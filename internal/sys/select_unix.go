//go:build unix

package sys

import (
	"math/bits"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	wordBits   = 8 * int(unsafe.Sizeof(fdWord(0)))
	fdSetWords = int(unsafe.Sizeof(unix.FdSet{}) / unsafe.Sizeof(fdWord(0))) // the least that may be called a unix.FdSet
)

// fdSets are the arguments and the results of select(2), as large as the descriptors in them need.
type fdSets struct {
	in, out [3][]fdWord // in ends with a word that is not 0
}

// reset empties the sets.
func (s *fdSets) reset() {
	for i := range s.in {
		clear(s.in[i])
		s.in[i] = s.in[i][:0]
	}
}

// add adds the descriptors that wait for an event to one of the sets. One that is not open may be refused with EBADF.
func (s *fdSets) add(set int, event uint16, fds []PollFd) error {
	in := s.in[set]
	for i := range fds {
		if uint16(fds[i].Events)&event == 0 {
			continue
		}
		fd := uint(fds[i].Fd)
		if word := fd / uint(wordBits); word < uint(len(in)) {
			in[word] |= 1 << (fd % uint(wordBits))
			continue
		}
		if err := s.grow(set, int(fd)); err != nil {
			return err
		}
		in = s.in[set]
	}
	return nil
}

// grow adds a descriptor that needs more words.
func (s *fdSets) grow(set, fd int) error {
	words := fd/wordBits + 1
	if words > cap(s.in[set]) {
		// Only descriptors that exist are worth the memory.
		if err := Probe(fd); err != nil {
			return err
		}
		s.in[set] = append(make([]fdWord, 0, max(words, 1024/wordBits)), s.in[set]...)
	}
	s.in[set] = s.in[set][:words]
	s.in[set][words-1] |= 1 << (fd % wordBits)
	return nil
}

// wait wraps select(2). It waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and
// returns the number of bits that are set in the results.
func (s *fdSets) wait(deadline Deadline) (int, error) {
	words, nfds := 0, 0
	for _, in := range s.in {
		if last := len(in) - 1; last >= 0 {
			words = max(words, last+1)
			nfds = max(nfds, last*wordBits+bits.Len64(uint64(in[last])))
		}
	}
	if err := checkTable(nfds); err != nil {
		return 0, err
	}
	for {
		var sets [3]unsafe.Pointer
		for i, in := range s.in {
			if len(in) == 0 {
				s.out[i] = s.out[i][:0]
				continue
			}
			if cap(s.out[i]) < words {
				s.out[i] = make([]fdWord, max(words, fdSetWords))
			}
			s.out[i] = s.out[i][:words]
			clear(s.out[i][copy(s.out[i], in):])
			sets[i] = unsafe.Pointer(&s.out[i][0])
		}
		left := deadline.Left()
		n, err := selectOnce(nfds, sets, left)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n > 0 || left == 0 || deadline.Left() == 0:
			return n, nil
		}
	}
}

// tableSize is how many descriptors the process's table is known to have room for.
var tableSize atomic.Int64

// checkTable returns an error if the kernel would not look at all descriptors: it ignores what lies beyond the process's
// descriptor table, and Linux leaves its bits set. The table has room for leastTable at least and never shrinks. So it is
// large enough if the highest descriptor is open, or if a higher one has been. (A thread that has left the others' table by
// unshare(2) has one that may be smaller: what is closed may then go unnoticed.)
func checkTable(nfds int) error {
	if nfds <= leastTable || int64(nfds) <= tableSize.Load() {
		return nil
	}
	if err := Probe(nfds - 1); err != nil {
		return err
	}
	tableSize.Store(int64(nfds)) // a smaller one that comes later does no harm
	return nil
}

// found notes the event with the descriptors for which the last wait has found it in one of the sets, and returns for how many it
// is the first one.
func (s *fdSets) found(set int, event uint16, fds []PollFd) (n int) {
	out := s.out[set]
	for i := range fds {
		f := &fds[i]
		word, bit := uint(f.Fd)/uint(wordBits), uint(f.Fd)%uint(wordBits)
		if uint16(f.Events)&event != 0 && word < uint(len(out)) && out[word]&(1<<bit) != 0 {
			if f.Revents == 0 {
				n++
			}
			setBits(&f.Revents, event)
		}
	}
	return n
}
