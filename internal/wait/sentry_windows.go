package wait

import (
	"runtime"
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// theSentries are those of all goroutines that wait for sockets together. One thread waits for all of them.
var theSentries sentries

type sentries struct {
	mu      sync.Mutex
	port    sys.AfdPort
	opened  bool
	onDuty  int
	running bool
	packets [64]sys.AfdPacket
}

// A sentry calls a ticket, once, when one of some sockets is ready. Each has a device of its own, because several may be for the same
// socket.
type sentry struct {
	device  sys.AfdDevice
	cleanup runtime.Cleanup
	poll    sys.AfdPoll
	ticket  *ticket
	onDuty  bool
	called  bool
}

// Prepare opens the port that all sentries share. If it fails, the next call of Prepare tries again.
func Prepare() { theSentries.open() }

func (s *sentries) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		return nil
	}
	port, err := sys.NewAfdPort()
	if err == nil {
		s.port, s.opened = port, true
	}
	return err
}

// newSentry returns a sentry. One that becomes unreachable is closed.
func newSentry() (*sentry, error) {
	if err := theSentries.open(); err != nil {
		return nil, err
	}
	device, err := theSentries.port.Open()
	if err != nil {
		return nil, err
	}
	s := &sentry{device: device}
	s.poll.Owner = s
	s.cleanup = runtime.AddCleanup(s, sys.AfdDevice.Close, device)
	return s, nil
}

// close closes a sentry that is not on duty.
func (s *sentry) close() {
	s.cleanup.Stop()
	s.device.Close()
}

// post lets the sentry call the ticket for any of the sockets.
func (s *sentry) post(t *ticket, sockets []sys.AfdEntry) error {
	s.called = false
	if len(sockets) == 0 {
		return nil
	}
	theSentries.mu.Lock()
	defer theSentries.mu.Unlock()
	if err := s.poll.Start(s.device, sockets...); err != nil {
		return err
	}
	s.ticket, s.onDuty = t, true
	theSentries.onDuty++
	if !theSentries.running {
		theSentries.running = true
		go runSentries()
	}
	return nil
}

// relieve ends what post has begun, and reports whether the sentry has called. When it returns, the kernel does not know the sentry any
// more.
func (s *sentry) relieve() (called bool) {
	theSentries.mu.Lock()
	defer theSentries.mu.Unlock()
	called = s.called
	s.poll.Cancel()
	for s.onDuty {
		theSentries.mu.Unlock()
		<-s.ticket.called
		theSentries.mu.Lock()
	}
	return called
}

// runSentries calls tickets until no sentry is on duty.
func runSentries() {
	all := &theSentries
	all.mu.Lock()
	defer all.mu.Unlock()
	for all.onDuty > 0 {
		all.mu.Unlock()
		n, _ := all.port.Wait(all.packets[:], sys.Never)
		all.mu.Lock()
		for i := range all.packets[:n] {
			s := all.packets[i].Poll().Owner.(*sentry)
			s.onDuty, s.called = false, true
			all.onDuty--
			s.ticket.call()
		}
	}
	all.running = false
}
