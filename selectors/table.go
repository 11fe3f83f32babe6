//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris || windows

package selectors

import "slices"

// A table holds the keys of a selector whose kernel facility keeps the set itself: by descriptor, as the kernel does, so
// that an event leads to its key without a search. Each registration has a serial number. Where it goes through the kernel
// with the events, one of an earlier registration of the same descriptor is told by it.
type table struct {
	slots      []slot // by descriptor
	count      int
	lastSerial uint32
}

type slot struct {
	key    *SelectorKey
	serial uint32
}

func (t *table) len() int { return t.count }

func (t *table) find(fd int) *SelectorKey {
	if fd >= len(t.slots) {
		return nil
	}
	return t.slots[fd].key
}

func (t *table) search(obj any) *SelectorKey {
	for _, s := range t.slots {
		if s.key != nil && s.key.Fileobj == obj {
			return s.key
		}
	}
	return nil
}

// lookup returns the key that was registered with a serial number, or nil if it is not any more.
func (t *table) lookup(fd int, serial uint32) *SelectorKey {
	if uint(fd) >= uint(len(t.slots)) || t.slots[fd].serial != serial {
		return nil
	}
	return t.slots[fd].key
}

// next returns the serial number of the next registration.
func (t *table) next() uint32 { return t.lastSerial + 1 }

// insert adds a key under the next serial number.
func (t *table) insert(key *SelectorKey) {
	if missing := key.Fd + 1 - len(t.slots); missing > 0 {
		t.slots = append(t.slots, make([]slot, missing)...)
	}
	t.lastSerial++
	t.slots[key.Fd] = slot{key, t.lastSerial}
	t.count++
}

func (t *table) replace(key *SelectorKey) { t.slots[key.Fd].key = key }

func (t *table) delete(fd int) {
	t.slots[fd].key = nil
	t.count--
}

// ordered returns the slots that are in use, in the order of registration.
func (t *table) ordered() []slot {
	slots := make([]slot, 0, t.count)
	for _, s := range t.slots {
		if s.key != nil {
			slots = append(slots, s)
		}
	}
	// The difference orders serial numbers also where they have started again from zero.
	slices.SortFunc(slots, func(a, b slot) int { return int(int32(a.serial - b.serial)) })
	return slots
}

func (t *table) keys() []*SelectorKey {
	keys := make([]*SelectorKey, 0, t.count)
	for _, s := range t.ordered() {
		keys = append(keys, s.key)
	}
	return keys
}
