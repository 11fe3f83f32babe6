package selectors

import (
	"slices"

	"github.com/pyselect/pyselect/internal/sys"
)

// A list holds the keys of a selector that hands all descriptors to the kernel with each wait, in the order of
// registration.
type list struct {
	order sys.Order
	all   []*SelectorKey
}

func (l *list) len() int { return len(l.all) }

func (l *list) find(fd int) *SelectorKey {
	if pos, ok := l.order.Find(fd); ok {
		return l.all[pos]
	}
	return nil
}

func (l *list) search(obj any) *SelectorKey {
	for _, key := range l.all {
		if key.Fileobj == obj {
			return key
		}
	}
	return nil
}

func (l *list) keys() []*SelectorKey { return slices.Clone(l.all) }

func (l *list) append(key *SelectorKey) {
	l.order.Add(key.Fd)
	l.all = append(l.all, key)
}

// replace returns the position of the key.
func (l *list) replace(key *SelectorKey) int {
	pos, _ := l.order.Find(key.Fd)
	l.all[pos] = key
	return pos
}

// delete returns the position that the key had.
func (l *list) delete(fd int) int {
	pos, _ := l.order.Find(fd)
	l.order.Remove(fd)
	l.all = slices.Delete(l.all, pos, pos+1)
	return pos
}

// report appends up to room of the n keys that are ready: those for which events does not return 0.
func (l *list) report(dst []Ready, room, n int, events func(pos int, key *SelectorKey) Event) []Ready {
	if n == 0 {
		return dst
	}
	if dst == nil {
		dst = make([]Ready, 0, n)
	}
	pos := 0
	if n > room {
		pos = l.order.Next()
	}
	for range l.all {
		if len(dst) == n {
			break
		}
		if pos == len(l.all) {
			pos = 0
		}
		key := l.all[pos]
		if ready := events(pos, key); ready != 0 {
			if len(dst) == room {
				l.order.NoRoom(key.Fd)
				break
			}
			dst = append(dst, Ready{key, ready})
		}
		pos++
	}
	return dst
}
