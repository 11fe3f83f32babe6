package pyselect

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

// Select waits until an object of rlist is readable, one of wlist writable, or one of xlist in an exceptional condition,
// such as out-of-band data on a TCP connection. It returns those that are, in three new slices: the caller's own objects,
// in the order in which they stand in the lists, as often as they stand there. When the timeout is over, all three are
// empty. It mirrors Python's select.select.
//
// The elements are waitable objects, see [Fileno]; F may be any, int, *os.File, net.Conn and so on. With three empty lists
// Select sleeps for the timeout. A timeout of zero does not wait; [Forever] waits until something is ready.
//
// There is no limit to the number or the size of the descriptors. Regular files are always ready.
//
// On Windows, only sockets can be waited for, and anything else is the error windows.WSAENOTSOCK, in the place of
// unix.EBADF. A non-blocking connect that has failed is an exceptional condition there. The system's timers may be 15
// milliseconds late.
//
// The error is os.ErrInvalid for a negative timeout, unix.EBADF for a descriptor that is not open, which the text names
// with its place in the lists, what Fileno returns for an object that is not waitable, and otherwise wraps an
// *os.SyscallError; nothing is ready then. Select occupies a thread while it waits. It is safe for concurrent use.
func Select[F any](rlist, wlist, xlist []F, timeout time.Duration) (readable, writable, exceptional []F, err error) {
	if timeout < 0 {
		err = fmt.Errorf("pyselect: select: timeout %v is negative, want Forever to wait without end: %w", timeout, os.ErrInvalid)
		return nil, nil, nil, err
	}
	deadline := sys.After(timeout)
	c := selectCalls.Get().(*selectCall)
	defer c.release()

	lists := [...][]F{rlist, wlist, xlist}
	for set, list := range lists {
		if err := resolve(c, set, list); err != nil {
			return nil, nil, nil, err
		}
	}
	n, err := c.wait(deadline)
	runtime.KeepAlive(lists)
	if err != nil {
		return nil, nil, nil, c.explain(err)
	}
	if n == 0 {
		return nil, nil, nil, nil
	}
	return ready(c, sys.Readable, rlist, n), ready(c, sys.Writable, wlist, n), ready(c, sys.Exceptional, xlist, n), nil
}

// A selectCall is the memory of one call of Select.
type selectCall struct {
	sets sys.FdSets
	fds  [3][]int // the descriptors of the lists
}

var selectCalls = sync.Pool{New: func() any { return new(selectCall) }}

func (c *selectCall) release() {
	c.sets.Reset()
	for i := range c.fds {
		c.fds[i] = c.fds[i][:0]
	}
	selectCalls.Put(c)
}

var listNames = [...]string{sys.Readable: "rlist", sys.Writable: "wlist", sys.Exceptional: "xlist"}

func listError(set, i int, err error) error {
	return fmt.Errorf("pyselect: select: %s[%d]: %w", listNames[set], i, err)
}

// resolve fills in the descriptors of a list.
func resolve[F any](c *selectCall, set int, list []F) error {
	fds := slices.Grow(c.fds[set], len(list))[:len(list)]
	c.fds[set] = fds
	if ints, ok := any(list).([]int); ok { // which need not be boxed one by one
		if i, err := checkAll(fds, ints); err != nil {
			return listError(set, i, err)
		}
		return nil
	}
	for i, obj := range list {
		fd, err := Fileno(obj)
		if err != nil {
			return listError(set, i, err)
		}
		fds[i] = fd
	}
	return nil
}

// checkAll copies descriptors, up to the first that cannot be one.
func checkAll(fds, ints []int) (n int, err error) {
	for i, fd := range ints {
		if fds[i], err = checkFd(fd); err != nil {
			return i, err
		}
	}
	return len(ints), nil
}

// wait returns how often a descriptor is ready.
func (c *selectCall) wait(deadline sys.Deadline) (n int, err error) {
	for set, fds := range c.fds {
		if err := c.sets.Add(set, fds...); err != nil {
			return 0, err
		}
	}
	return c.sets.Select(deadline)
}

// ready returns the objects of a list that the last wait has found ready; n in all lists were.
func ready[F any](c *selectCall, set int, list []F, n int) []F {
	var found []F
	for i, fd := range c.fds[set] {
		if c.sets.Has(set, fd) {
			if found == nil {
				found = make([]F, 0, min(n, len(list)-i))
			}
			found = append(found, list[i])
		}
	}
	return found
}

// explain finds the descriptor that is to blame for an error, which the kernel does not name.
func (c *selectCall) explain(err error) error {
	for set, fds := range c.fds {
		for i, fd := range fds {
			if err := sys.Probe(fd); err != nil {
				return listError(set, i, fmt.Errorf("fd %d: %w", fd, err))
			}
		}
	}
	return opError("select", err)
}
