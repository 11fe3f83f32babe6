//go:build unix || windows

package socket

import (
	"math"
)

// Getsockopt returns an option that is a number, like SO_ERROR of the level SOL_SOCKET. It mirrors socket.getsockopt.
func (s *Socket) Getsockopt(level, option int) (value int, err error) {
	err = s.control("socket.getsockopt", func(fd int) (err error) {
		value, err = getsockoptInt(fd, level, option)
		return err
	})
	return value, err
}

// GetsockoptBytes returns up to length bytes of an option that is a structure. It mirrors socket.getsockopt with a length. Only
// Linux and Windows return more than 32 bytes, and no more than the structure has.
//
// The error is os.ErrInvalid if the length is negative or more than 1,024, as in Python.
func (s *Socket) GetsockoptBytes(level, option, length int) (value []byte, err error) {
	err = s.control("socket.getsockopt", func(fd int) error {
		const most = 1024
		if length < 0 || length > most {
			return invalid("length %d, want 0 to %d", length, most)
		}
		value = make([]byte, length)
		n, err := getsockopt(fd, level, option, value)
		if err != nil {
			value = nil
			return err
		}
		value = value[:min(n, length)] // the kernel may say how long it would be
		return nil
	})
	return value, err
}

// Setsockopt sets an option that is a number, like SO_REUSEADDR of the level SOL_SOCKET. It mirrors socket.setsockopt.
//
// The error is os.ErrInvalid if the number has more than 32 bits.
func (s *Socket) Setsockopt(level, option, value int) error {
	return s.setsockopt(level, option, func(fd int) error {
		if level != wideLevel && (value < math.MinInt32 || int64(value) > math.MaxUint32) {
			return invalid("value %d, want 32 bits", value)
		}
		return setsockoptInt(fd, level, option, value)
	})
}

// SetsockoptBytes sets an option that is a structure, like IP_ADD_MEMBERSHIP. SetLinger is for SO_LINGER. It mirrors socket.setsockopt
// with a bytes object.
func (s *Socket) SetsockoptBytes(level, option int, value []byte) error {
	return s.setsockopt(level, option, func(fd int) error { return setsockopt(fd, level, option, value) })
}

func (s *Socket) setsockopt(level, option int, set func(fd int) error) error {
	return s.control("socket.setsockopt", func(fd int) error {
		err := set(fd)
		if level == SOL_SOCKET && option == SO_RCVLOWAT {
			s.noteLowWater(fd)
		}
		return err
	})
}

// noteLowWater remembers SO_RCVLOWAT, so that Recv need not ask. The kernel ignores it, since the descriptor is non-blocking.
func (s *Socket) noteLowWater(fd int) {
	if n, err := getsockoptInt(fd, SOL_SOCKET, SO_RCVLOWAT); err == nil {
		s.lowat.Store(int64(n))
	}
}

// SetLinger sets how long Close waits until what was sent has arrived, if it waits at all. For zero seconds it does not wait, and
// resets the connection. It mirrors socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", on, seconds)).
//
// The error is os.ErrInvalid if the number of seconds is negative or more than 32,767, which is all that some systems take.
func (s *Socket) SetLinger(on bool, seconds int) error {
	return s.control("socket.setsockopt", func(fd int) error {
		if seconds < 0 || seconds > math.MaxInt16 {
			return invalid("linger for %d seconds, want 0 to %d", seconds, math.MaxInt16)
		}
		return setLinger(fd, on, seconds)
	})
}
