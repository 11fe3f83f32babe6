//go:build solaris || emulated_devpoll

package selectors

import (
	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/wait"
)

// DevpollSelector waits with /dev/poll, and holds a thread meanwhile. It mirrors Python's selectors.DevpollSelector. It exists on
// Solaris and illumos, where nobody has tried it: see [pyselect.Devpoll].
//
// Regular files are always ready. An object that is closed while registered may be reported as ready, or not at all, until it is
// unregistered. If another file gets its number, that file's events may be reported, or not.
//
// On illumos, a wait with a timeout of a millisecond or more takes a tick of the kernel's clock at least, by default 10 milliseconds.
type DevpollSelector struct {
	base
	devpoll devpollSet
}

// NewDevpollSelector returns an empty selector. The error is an errno, like unix.EMFILE.
func NewDevpollSelector() (*DevpollSelector, error) {
	dp, err := wait.NewDevpoll()
	if err != nil {
		return nil, opError("selectors.DevpollSelector", -1, err)
	}
	s := &DevpollSelector{devpoll: devpollSet{dp: dp}}
	s.base = base{&dp.Waits, &s.devpoll}
	return s, nil
}

// Fileno returns the descriptor of /dev/poll, which cannot be waited for. It mirrors DevpollSelector.fileno.
//
// The error is os.ErrClosed.
func (s *DevpollSelector) Fileno() (int, error) { return s.descriptor(s.devpoll.dp.Fd) }

// A devpollSet implements keySet.
type devpollSet struct {
	table
	dp *wait.Devpoll
}

func (d *devpollSet) add(key *SelectorKey) error {
	err := d.dp.Put(key.Fd, pollEvents(key.Events))
	if err == nil {
		d.insert(key)
	}
	return err
}

func (d *devpollSet) modify(key *SelectorKey) error {
	err := d.dp.Put(key.Fd, pollEvents(key.Events))
	if err == nil {
		d.replace(key)
	}
	return err
}

func (d *devpollSet) remove(fd int) {
	d.dp.Remove(fd)
	d.delete(fd)
}

func (d *devpollSet) report(dst []Ready, _, n int, blocked bool) ([]Ready, error) {
	found := d.dp.Found(n, blocked)
	if dst == nil {
		dst = make([]Ready, 0, len(found))
	}
	for _, f := range found {
		key := d.find(int(f.Fd))
		dst = append(dst, Ready{key, readyEvents(uint32(uint16(f.Revents)), unix.POLLIN, unix.POLLOUT) & key.Events})
	}
	return dst, nil
}

func (d *devpollSet) close() error {
	d.table = table{}
	return d.dp.Release()
}
