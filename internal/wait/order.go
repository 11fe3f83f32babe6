package wait

import "slices"

// An Order gives each descriptor its position in the array for poll(2) or select(2), in the order of addition. It also remembers
// at which descriptor a report ran out of room.
type Order struct {
	added      map[int]uint64 // descriptor to serial number
	serial     []uint64       // position to serial number, ascending
	lastSerial uint64
	continueAt uint64 // where the next report begins, if not all fits
}

// Find returns the position of a descriptor.
func (o *Order) Find(fd int) (pos int, ok bool) {
	serial, ok := o.added[fd]
	if !ok {
		return 0, false
	}
	return slices.BinarySearch(o.serial, serial)
}

// FindUntil is Find, but does not find a descriptor that was added after Time has returned time.
func (o *Order) FindUntil(fd int, time uint64) (pos int, ok bool) {
	if o.added[fd] > time {
		return 0, false
	}
	return o.Find(fd)
}

// Time returns the present time for FindUntil: the serial number of the descriptor that was added last.
func (o *Order) Time() uint64 { return o.lastSerial }

// Add puts a descriptor at the end.
func (o *Order) Add(fd int) {
	if o.added == nil {
		o.added = make(map[int]uint64)
	}
	o.lastSerial++
	o.added[fd] = o.lastSerial
	o.serial = append(o.serial, o.lastSerial)
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
	pos, _ := slices.BinarySearch(o.serial, o.continueAt)
	return pos
}

// ContinueAt notes the descriptor for which a report had no room.
func (o *Order) ContinueAt(fd int) { o.continueAt = o.added[fd] }
