package wait

import "github.com/pyselect/pyselect/internal/sys"

// HandOver sets an alarm and hands it to the exact clock, however long before its time.
func (a *Alarm) HandOver(at sys.Deadline) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at, a.handed = at, true
	exact.add(a, at)
}

type Ticket = ticket

func NewTicket() *Ticket { return tickets.New().(*Ticket) }

func (t *ticket) Sleep(deadline sys.Deadline) { t.sleep(deadline) }

// Called reports whether it has been called, and forgets it.
func (t *ticket) Called() bool {
	called := len(t.called) > 0
	t.reset()
	return called
}

var (
	JoinLot, LeaveLot     = parkingLot.join, parkingLot.leave
	JoinCrowd, LeaveCrowd = theCrowd.join, theCrowd.leave
)

// InLot returns how many tickets, descriptors and goroutines are there, once all calls for what has happened are over.
func InLot() int {
	parkingLot.mu.Lock()
	defer parkingLot.mu.Unlock()
	return parkingLot.waiting + len(parkingLot.spots) + map[bool]int{true: 1}[parkingLot.running]
}

// InCrowd is InLot for the crowd.
func InCrowd() int {
	theCrowd.mu.Lock()
	defer theCrowd.mu.Unlock()
	return len(theCrowd.tickets) + map[bool]int{true: 1}[theCrowd.running]
}
