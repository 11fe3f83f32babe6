package sys

import "golang.org/x/sys/windows"

// ToAsk returns how many polls the next Look starts again.
func (s *AfdSet) ToAsk() int { return len(s.again) }

// Slots returns for how many sockets the set has room, and how many of them the kernel may write to.
func (s *AfdSet) Slots() (all, used int) { return len(s.slots), len(s.slots) - len(s.unused) }

// Lose cancels the poll for the end of a socket, as the end of the thread that has started it does.
func (s *AfdSet) Lose(fd int) { s.sockets[fd].close.Cancel() }

// Gone reports whether the end of a socket is known.
func (s *AfdSet) Gone(fd int) bool {
	s.drain(false)
	return s.sockets[fd].gone
}

// MixUp lets each of the two polls of a socket ask for what the other one is for.
func (s *AfdSet) MixUp(fd int) error {
	a := s.sockets[fd]
	a.poll.Cancel()
	a.close.Cancel()
	for a.poll.Pending() || a.close.Pending() {
		n, err := s.port.Wait(s.packets, Never)
		if err != nil {
			return err
		}
		for i := range s.packets[:n] {
			s.packets[i].Poll()
		}
	}
	device := s.devices[a.slot/group*2:]
	err := a.poll.Start(device[0], a.base, 0)
	if err == nil {
		err = a.close.Start(device[1], a.base, a.events)
	}
	return err
}

// PairAfter returns a pair as Socketpair does, for which strangers have known the port of the listener.
func PairAfter(strangers func(port int)) (client, server windows.Handle, err error) {
	listener, err := listenAt(&windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, windows.AF_INET)
	if err != nil {
		return 0, 0, err
	}
	defer windows.Closesocket(listener)
	addr, err := windows.Getsockname(listener)
	if err != nil {
		return 0, 0, err
	}
	strangers(addr.(*windows.SockaddrInet4).Port)
	if client, err = tcpSocket(windows.AF_INET); err == nil {
		server, err = connectTo(listener, client)
	}
	return client, server, err
}
