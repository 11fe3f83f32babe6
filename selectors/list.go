package selectors

import (
	"slices"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A listSet implements keySet for a selector that hands all descriptors to the kernel with each wait.
type listSet struct {
	wait.List
	all    []*SelectorKey // in the order of registration, as the list
	events func(Event) uint16
	ready  func(revents uint16) Event
	check  func(fd int, events uint16) error // refuses what the facility cannot watch; may be nil
}

func (l *listSet) init() (err error) {
	l.Waker, err = sys.NewWaker()
	l.List.Init()
	return err
}

func (l *listSet) len() int { return len(l.all) }

func (l *listSet) keys() []*SelectorKey { return slices.Clone(l.all) }

func (l *listSet) find(fd int) *SelectorKey {
	if pos, ok := l.Find(fd); ok {
		return l.all[pos]
	}
	return nil
}

func (l *listSet) search(obj any) *SelectorKey {
	for _, key := range l.all {
		if key.Fileobj == obj {
			return key
		}
	}
	return nil
}

func (l *listSet) add(key *SelectorKey) error {
	pos, err := l.put(key)
	if err == nil {
		l.all = slices.Insert(l.all, pos, key)
	}
	return err
}

func (l *listSet) modify(key *SelectorKey) error {
	pos, err := l.put(key)
	if err == nil {
		l.all[pos] = key
	}
	return err
}

// put gives a key to the list, and returns its position there.
func (l *listSet) put(key *SelectorKey) (pos int, err error) {
	events := l.events(key.Events)
	if l.check != nil {
		if err := l.check(key.Fd, events); err != nil {
			return 0, err
		}
	}
	l.Kick()
	return l.Put(key.Fd, events), nil
}

func (l *listSet) replace(key *SelectorKey) {
	pos, _ := l.Find(key.Fd)
	l.all[pos] = key
}

func (l *listSet) remove(fd int) {
	pos, _ := l.Find(fd)
	l.List.Remove(pos)
	l.all = slices.Delete(l.all, pos, pos+1)
	l.Kick()
}

func (l *listSet) report(dst []Ready, room, n int, blocked bool) ([]Ready, error) {
	if dst == nil {
		dst = make([]Ready, 0, n)
	}
	l.Report(n, room, blocked, func(pos, _ int, revents uint16) bool {
		if pos < 0 {
			return false
		}
		key := l.all[pos]
		ready := l.ready(revents) & key.Events
		if ready != 0 {
			dst = append(dst, Ready{key, ready})
		}
		return ready != 0
	})
	return dst, nil
}

func (l *listSet) close() error {
	l.Clear()
	l.all = nil
	l.Waker.Close()
	return nil
}
