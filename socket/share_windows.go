package socket

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
)

// Share duplicates the socket for another process, and returns what that has to give to FromShare, once. The socket may be closed
// then. It exists on Windows only, and mirrors socket.share.
func (s *Socket) Share(processID int) (shared []byte, err error) {
	err = s.control("socket.share", func(fd int) error {
		var info windows.WSAProtocolInfo
		if err := windows.WSADuplicateSocket(windows.Handle(fd), uint32(processID), &info); err != nil {
			return err
		}
		shared, err = binary.Append(nil, binary.NativeEndian, &info)
		return err
	})
	return shared, err
}

// FromShare returns the socket that another process has shared with this one. It exists on Windows only, and mirrors
// socket.fromshare.
//
// The error is os.ErrInvalid if shared is not what Share returned.
func FromShare(shared []byte) (*Socket, error) {
	s, err := fromShare(shared)
	if err != nil {
		return nil, opError("socket.fromshare", -1, err)
	}
	return s, nil
}

func fromShare(shared []byte) (*Socket, error) {
	var info windows.WSAProtocolInfo
	if size := binary.Size(&info); len(shared) != size {
		return nil, invalid("%d bytes, want %d", len(shared), size)
	}
	if err := binary.Read(bytes.NewReader(shared), binary.NativeEndian, &info); err != nil {
		return nil, err
	}
	if err := sys.StartWinsock(); err != nil {
		return nil, err
	}
	fd, err := sys.FromInfo(&info, sys.PrivateSocket)
	if err != nil {
		return nil, err
	}
	sock, err := adopt(int(fd))
	if err != nil {
		windows.Closesocket(fd)
	}
	return sock, err
}
