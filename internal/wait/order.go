package wait

import "slices"

// An Order gives descriptors positions in the order in which they were added: those of the arrays that are handed to
// poll(2) and select(2). It also remembers where a report that did not fit its buffer has stopped.
type Order struct {
	added  map[int]uint64 // descriptor to serial number
	serial []uint64       // position to serial number, ascending
	last   uint64
	next   uint64 // where the next report begins, if not all fits
}

// Find returns the position of a descriptor.
func (o *Order) Find(fd int) (pos int, ok bool) {
	serial, ok := o.added[fd]
	if !ok {
		return 0, false
	}
	return slices.BinarySearch(o.serial, serial)
}

// FindUntil is Find for a descriptor that was added until a time that Time has returned.
func (o *Order) FindUntil(fd int, time uint64) (pos int, ok bool) {
	if o.added[fd] > time {
		return 0, false
	}
	return o.Find(fd)
}

// Time returns what FindUntil takes for now.
func (o *Order) Time() uint64 { return o.last }

// Add puts a descriptor at the end.
func (o *Order) Add(fd int) {
	if o.added == nil {
		o.added = make(map[int]uint64)
	}
	o.last++
	o.added[fd] = o.last
	o.serial = append(o.serial, o.last)
}

// Remove removes a descriptor, which moves those behind it one position forward.
func (o *Order) Remove(fd int) {
	pos, ok := o.Find(fd)
	if !ok {
		return
	}
	delete(o.added, fd)
	o.serial = slices.Delete(o.serial, pos, pos+1)
}

// Next returns the position of the descriptor for which the last report had no room, or of the one behind it.
func (o *Order) Next() int {
	pos, _ := slices.BinarySearch(o.serial, o.next)
	return pos
}

// NoRoom notes the descriptor for which a report had no room.
func (o *Order) NoRoom(fd int) { o.next = o.added[fd] }
