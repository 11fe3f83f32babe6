package wait

import "github.com/pyselect/pyselect/internal/sys"

// HandOver sets an alarm and hands it to the exact clock, however long before its time.
func (a *Alarm) HandOver(at sys.Deadline) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at, a.handed = at, true
	exact.add(a, at)
}

var JoinLot, LeaveLot = parkingLot.join, parkingLot.leave

// InLot returns how many tickets, descriptors and goroutines are there, once all calls for what has happened are over.
func InLot() int {
	parkingLot.mu.Lock()
	defer parkingLot.mu.Unlock()
	return parkingLot.waiting + len(parkingLot.spots) + map[bool]int{true: 1}[parkingLot.running]
}
