package sys

import (
	"slices"
	"time"

	"golang.org/x/sys/windows"
)

// An AfdSet is sockets that are waited for through \Device\Afd, with a poll for each that is started again when it has found something.
// A Look costs as much as there are polls to start again, however many sockets there are.
//
// A poll finds what a socket was ready for when it became ready, which may not be so any more, and not be all. So what has been found
// before a Look is asked for again by the Look.
//
// Its methods are called by one goroutine at a time. Sleep and Post may be called beside one of the others, which is then not Slept.
type AfdSet struct {
	port    AfdPort
	sockets map[int]*AfdSocket // by descriptor

	slots   []*AfdSocket // all that the kernel may write to, and perhaps nobody else knows any more
	unused  []int        // slots
	devices []AfdDevice

	again   []*AfdSocket // those to ask for again: the next ones in the queue
	found   []*AfdSocket // those that have been found, and are to be reported
	packets []AfdPacket
	slept   []AfdPacket // what Sleep has taken from the port, and nobody has looked at
	drained bool        // and that was all
}

// An AfdSocket is a socket of a set. Two polls ask for it, each through another device.
type AfdSocket struct {
	fd     int
	base   BaseSocket
	events uint16 // to wait for
	ready  uint16 // what it has found
	gone   bool   // it was removed, or has been closed
	slot   int
	poll   AfdPoll
	close  AfdPoll // for the end of the socket: afterwards its number may be that of another one
}

const (
	packetsAtOnce = 64

	// group is the number of polls that share a device: to cancel one takes the longer, the more there are.
	group = 32
)

// NewAfdSet returns an empty set.
func NewAfdSet() (*AfdSet, error) {
	port, err := NewAfdPort()
	if err != nil {
		return nil, err
	}
	return &AfdSet{
		port:    port,
		sockets: make(map[int]*AfdSocket),
		packets: make([]AfdPacket, packetsAtOnce),
		slept:   make([]AfdPacket, 0, packetsAtOnce),
	}, nil
}

// Event returns an event that is set while a poll is complete that nobody has looked at.
func (s *AfdSet) Event() Event { return s.port.Event() }

// Add adds a socket. This counts for a Sleep that is on. The error is WSAENOTSOCK for what is no open socket.
func (s *AfdSet) Add(fd int, events uint16) error {
	a := &AfdSocket{fd: fd, events: events}
	a.poll.Owner, a.close.Owner = a, a
	err := s.place(a) // first, so that no device gets the number of a socket that is closed just now
	if err != nil {
		return err
	}
	if a.base, err = Base(fd); err == nil {
		err = s.watchClose(a)
	}
	if err == nil {
		err = s.start(a)
	}
	if err != nil {
		s.drop(a)
		return err
	}
	s.sockets[fd] = a
	return nil
}

// Modify replaces the events of a socket. It asks anew, also for fewer events: the number may be that of another socket now, while a
// duplicate of the former one is open. Beside a Sleep, that is to be ended then. The error is WSAENOTSOCK if the socket has been closed.
func (s *AfdSet) Modify(fd int, events uint16) error {
	if err := s.drain(false); err != nil {
		return err
	}
	if a := s.sockets[fd]; a == nil || a.gone {
		return windows.WSAENOTSOCK
	}
	s.Remove(fd)
	return s.Add(fd, events)
}

// Remove removes a socket.
func (s *AfdSet) Remove(fd int) {
	if a := s.sockets[fd]; a != nil {
		delete(s.sockets, fd)
		s.drop(a)
	}
}

// place gives a socket a slot.
func (s *AfdSet) place(a *AfdSocket) error {
	if len(s.unused) == 0 {
		poll, err := s.port.Open()
		if err != nil {
			return err
		}
		close, err := s.port.Open()
		if err != nil {
			poll.Close()
			return err
		}
		s.devices = append(s.devices, poll, close)
		for range group {
			s.unused = append(s.unused, len(s.slots))
			s.slots = append(s.slots, nil)
		}
	}
	last := len(s.unused) - 1
	a.slot = s.unused[last]
	s.slots[a.slot] = a
	s.unused = s.unused[:last]
	return nil
}

func (s *AfdSet) start(a *AfdSocket) error {
	return a.poll.Start(s.devices[a.slot/group*2], a.base, a.events)
}

func (s *AfdSet) watchClose(a *AfdSocket) error {
	return a.close.Start(s.devices[a.slot/group*2+1], a.base, 0)
}

// drop lets the kernel forget a socket.
func (s *AfdSet) drop(a *AfdSocket) {
	a.gone = true
	a.poll.Cancel()
	a.close.Cancel()
	s.free(a)
}

// free frees the slot of a socket that is gone, unless the kernel may still write to it.
func (s *AfdSet) free(a *AfdSocket) {
	if s.slots[a.slot] == a && !a.poll.Pending() && !a.close.Pending() {
		s.slots[a.slot] = nil
		s.unused = append(s.unused, a.slot)
	}
}

// Look looks what is ready, and returns for how many sockets Report is to report it. They need not be more than room.
func (s *AfdSet) Look(room int) (n int, err error) {
	if !s.drained {
		err = s.drain(false)
	}
	s.drained = false
	for err == nil && len(s.found) < room && len(s.again) > 0 {
		if err = s.ask(room - len(s.found)); err == nil {
			err = s.drain(true)
		}
	}
	if err != nil {
		s.Report(0, nil)
	}
	return len(s.found), err
}

// Ask asks for all sockets, which is to be done before a Sleep.
func (s *AfdSet) Ask() error {
	if err := s.drain(false); err != nil {
		return err
	}
	return s.ask(len(s.again))
}

// Sleep waits until a poll is complete, Post is called or the deadline has passed.
func (s *AfdSet) Sleep(deadline Deadline) error {
	n, err := s.port.Wait(s.slept[:cap(s.slept)], deadline)
	s.slept = s.slept[:n]
	return err
}

// Post ends a Sleep, also if that is still to begin.
func (s *AfdSet) Post() { s.port.Post() }

// Slept lets the next Look know what the last Sleep, which is over, has found.
func (s *AfdSet) Slept() {
	s.take(s.slept, true)
	s.drained = 0 < len(s.slept) && len(s.slept) < cap(s.slept)
	s.slept = s.slept[:0]
}

// Report reports what Look has found, for up to room sockets. It returns whether there are others, with which the next Look begins.
func (s *AfdSet) Report(room int, report func(fd int, events uint16)) (more bool) {
	s.found = slices.DeleteFunc(s.found, func(a *AfdSocket) bool { return a.gone })
	n := min(room, len(s.found))
	for _, a := range s.found[:n] {
		report(a.fd, a.ready)
	}
	more = n < len(s.found)
	s.again = append(slices.Insert(s.again, 0, s.found[n:]...), s.found[:n]...)
	s.found = s.found[:0]
	return more
}

// Close ends all polls, and closes what the set has opened when the kernel has acknowledged that.
func (s *AfdSet) Close() {
	s.Slept()
	for _, device := range s.devices {
		device.CancelAll()
	}
	for _, a := range s.slots {
		if a != nil {
			a.gone = true
			s.free(a)
		}
	}
	if s.drain(false); len(s.unused) == len(s.slots) {
		s.closeHandles()
		return
	}
	go func() {
		for len(s.unused) < len(s.slots) {
			if s.Sleep(Never) != nil {
				time.Sleep(time.Second) // for ever, if need be: the kernel may write to what would be collected otherwise
			}
			s.Slept()
		}
		s.closeHandles()
	}()
}

func (s *AfdSet) closeHandles() {
	for _, device := range s.devices {
		device.Close()
	}
	s.port.Close()
}

// ask starts the polls of up to n sockets.
func (s *AfdSet) ask(n int) (err error) {
	asked := 0
	for ; asked < min(n, len(s.again)); asked++ {
		a := s.again[asked]
		if a.gone {
			continue
		}
		if err = s.start(a); err == windows.WSAENOTSOCK { // it was closed, and a duplicate of it was not
			a.gone, err = true, nil
		}
		if err != nil {
			break
		}
	}
	s.again = slices.Delete(s.again, 0, asked)
	return err
}

// drain takes what is complete from the port. If it is not of this moment, it only says which sockets to ask for again.
func (s *AfdSet) drain(now bool) error {
	for {
		n, err := s.port.Wait(s.packets, Now)
		s.take(s.packets[:n], now)
		if n < len(s.packets) {
			return err
		}
	}
}

// take notes what polls have found. The end of a socket comes before whatever is found for the next one with its number.
func (s *AfdSet) take(packets []AfdPacket, now bool) {
	for i := range packets {
		poll := packets[i].Poll()
		if poll == nil {
			continue
		}
		a := poll.Owner.(*AfdSocket)
		found := poll.found()
		a.gone = a.gone || found&afdLocalClose != 0
		a.ready = fromAfdEvents(found) & a.events
		switch {
		case a.gone:
			s.free(a)
		case poll == &a.close:
			// The thread that has started it has ended, or Windows has completed it for what the other one asks.
			s.watchClose(a)
			a.poll.Cancel()
		case now && a.ready != 0:
			s.found = append(s.found, a)
		default:
			s.again = append(s.again, a)
		}
	}
}
