//go:build unix

package socket

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// Getsockopt returns an option that is a number, like SO_ERROR of the level SOL_SOCKET. It mirrors socket.getsockopt.
func (s *Socket) Getsockopt(level, option int) (value int, err error) {
	err = s.control("socket.getsockopt", func(fd int) (err error) {
		if level == wideLevel {
			var wide uint64
			wide, err = unix.GetsockoptUint64(fd, level, option)
			value = int(wide)
			return err
		}
		value, err = unix.GetsockoptInt(fd, level, option)
		return err
	})
	return value, err
}

// GetsockoptBytes returns up to length bytes of an option that is a structure. It mirrors socket.getsockopt with a length. Only
// Linux returns more than 32 bytes, and no more than the structure has.
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
		if level == wideLevel {
			return unix.SetsockoptUint64(fd, level, option, uint64(value))
		}
		if value < math.MinInt32 || int64(value) > math.MaxUint32 {
			return invalid("value %d, want 32 bits", value)
		}
		return unix.SetsockoptInt(fd, level, option, value)
	})
}

// SetsockoptBytes sets an option that is a structure, like IP_ADD_MEMBERSHIP. SetLinger is for SO_LINGER. It mirrors socket.setsockopt
// with a bytes object.
func (s *Socket) SetsockoptBytes(level, option int, value []byte) error {
	return s.setsockopt(level, option, func(fd int) error { return unix.SetsockoptString(fd, level, option, string(value)) })
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
	if n, err := unix.GetsockoptInt(fd, SOL_SOCKET, SO_RCVLOWAT); err == nil {
		s.lowat.Store(int64(n))
	}
}

// SetLinger sets how long Close waits until what was sent has arrived, if it waits at all. For zero seconds it does not wait, and
// resets the connection. It mirrors socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", on, seconds)).
//
// The error is os.ErrInvalid if the number of seconds is negative or more than 32,767, which is all that some systems take.
func (s *Socket) SetLinger(on bool, seconds int) error {
	l := unix.Linger{Linger: int32(seconds)}
	if on {
		l.Onoff = 1
	}
	return s.control("socket.setsockopt", func(fd int) error {
		if seconds < 0 || seconds > math.MaxInt16 {
			return invalid("linger for %d seconds, want 0 to %d", seconds, math.MaxInt16)
		}
		return unix.SetsockoptLinger(fd, SOL_SOCKET, sys.SoLinger, &l)
	})
}
