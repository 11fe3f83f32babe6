package pyselect

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// Select waits until an object of rlist is readable, one of wlist writable, or one of xlist in an exceptional condition,
// such as out-of-band data on a TCP connection. It returns those that are, in three new slices: the caller's own objects,
// in the order in which they stand in the lists, as often as they stand there. When the timeout is over, all three are
// empty. It mirrors Python's select.select.
//
// The elements are waitable objects, see [Fileno]; F may be any, int, *os.File, net.Conn and so on. With three empty lists
// Select sleeps for the timeout. A timeout of zero does not wait; [Forever] waits until something is ready.
//
// There is no limit to the number or the size of the descriptors, except on Solaris, illumos and AIX. Regular files are always ready.
//
// The error is os.ErrInvalid for a negative timeout, unix.EBADF for a descriptor that is not open, the error of Fileno for an
// object that is not waitable, or another errno. The text of EBADF names the descriptor and its place in the lists. With an
// error, the three slices are nil.
//
// Select is safe for concurrent use.
//
// # Solaris, illumos and AIX notes
//
// By the systems' sources and manuals, and not tried: the C library takes descriptors below 65,536, on AIX below 65,535. Others are
// unix.EINVAL, with a text that says so.
//
// # Windows notes
//
// Only sockets can be waited for. Anything else is the error windows.WSAENOTSOCK, in the place of unix.EBADF. A non-blocking
// connect that has failed is an exceptional condition. The system's timers may be 15 milliseconds late.
func Select[F any](rlist, wlist, xlist []F, timeout time.Duration) (readable, writable, exceptional []F, err error) {
	if timeout < 0 {
		return nil, nil, nil, opError(opSelect, -1, negative(timeout))
	}
	return selectAmong(context.Background(), [...][]F{rlist, wlist, xlist}, timeout)
}

// SelectContext is Select without a timeout, until ctx is done. If ctx is done already, it does not look for anything. Python
// has no counterpart.
//
// The error is ctx.Err(), also when a deadline has passed, or that of Select.
func SelectContext[F any](ctx context.Context, rlist, wlist, xlist []F) (readable, writable, exceptional []F, err error) {
	return selectAmong(ctx, [...][]F{rlist, wlist, xlist}, Forever)
}

const opSelect = "select.select"

var (
	listNames  = [...]string{"rlist", "wlist", "xlist"}
	listEvents = [...]uint16{sys.In, sys.Out, sys.Pri}
)

// selectLists keeps lists for reuse. Each call of Select takes one.
var selectLists = sync.Pool{New: func() any {
	l := &wait.List{Ask: sys.Select, BySelect: true}
	l.Init()
	return l
}}

func selectAmong[F any](ctx context.Context, lists [3][]F, timeout time.Duration) (readable, writable, exceptional []F, err error) {
	l := selectLists.Get().(*wait.List)
	defer selectLists.Put(l)
	fds := l.Entries()[:0]
	for i, list := range lists {
		if fds, err = resolve(fds, i, list); err != nil {
			return nil, nil, nil, err
		}
	}
	l.SetEntries(fds)
	ready := 0
	err = l.Wait(ctx, len(fds), timeout, func(n int, blocked bool) (bool, error) {
		ready, fds = n, l.Found(blocked)
		return true, nil
	})
	runtime.KeepAlive(lists)
	switch {
	case err != nil && err == ctx.Err():
		return nil, nil, nil, err
	case err != nil:
		return nil, nil, nil, explain(lists, fds, err)
	case ready == 0:
		return nil, nil, nil, nil
	}
	for i, result := range []*[]F{&readable, &writable, &exceptional} {
		*result = pick(lists[i], fds, ready)
		fds = fds[len(lists[i]):]
	}
	return readable, writable, exceptional, nil
}

func listError(set, i, fd int, err error) error {
	return &OpError{Op: opSelect, Fd: fd, Err: err, element: fmt.Sprintf("%s[%d]", listNames[set], i)}
}

// resolve appends the entries of a list.
func resolve[F any](fds []sys.PollFd, set int, list []F) ([]sys.PollFd, error) {
	fds = slices.Grow(fds, len(list))
	entry := sys.Entry(0, listEvents[set])
	if ints, ok := any(list).([]int); ok { // which need not be boxed one by one
		for i, fd := range ints {
			if uint(fd) > math.MaxInt32 {
				_, err := checkFd(fd)
				return nil, listError(set, i, -1, err)
			}
			fds = append(fds, sys.WithFd(entry, fd))
		}
		return fds, nil
	}
	for i, obj := range list {
		fd, err := fileno(obj)
		if err != nil {
			return nil, listError(set, i, -1, err)
		}
		fds = append(fds, sys.WithFd(entry, fd))
	}
	return fds, nil
}

// pick returns the objects of a list that are ready. n is the number of ready objects in all lists.
func pick[F any](list []F, fds []sys.PollFd, n int) []F {
	var found []F
	for i := range list {
		if fds[i].Revents != 0 {
			if found == nil {
				found = make([]F, 0, min(n, len(list)-i))
			}
			found = append(found, list[i])
		}
	}
	return found
}

// explain finds the descriptor that is to blame for an error, which the kernel does not name.
func explain[F any](lists [3][]F, fds []sys.PollFd, err error) error {
	for set, list := range lists {
		for i := range list {
			fd := int(fds[i].Fd)
			if err := sys.Probe(fd); err != nil {
				return listError(set, i, fd, err)
			}
		}
		fds = fds[len(list):]
	}
	return opError(opSelect, -1, err)
}
