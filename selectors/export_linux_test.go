package selectors

// SetLastSerial lets the next registration have the serial number after this one.
func (s *EpollSelector) SetLastSerial(serial uint32) { s.epoll.lastSerial = serial }
