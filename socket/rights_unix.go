//go:build unix

package socket

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// Rights returns the ControlMessage that sends descriptors to another process: (SOL_SOCKET, SCM_RIGHTS, array.array("i", fds)). They have
// to stay open until Sendmsg has returned.
func Rights(fds ...int) ControlMessage {
	m := ControlMessage{Level: SOL_SOCKET, Type: SCM_RIGHTS}
	for _, fd := range fds {
		m.Data = binary.NativeEndian.AppendUint32(m.Data, uint32(fd))
	}
	return m
}

// Fds returns the descriptors that came with SCM_RIGHTS, or none if m is something else. They are the caller's, who has to close them.
func (m ControlMessage) Fds() (fds []int) {
	if m.Level != SOL_SOCKET || m.Type != SCM_RIGHTS {
		return nil
	}
	for data := m.Data; len(data) >= 4; data = data[4:] {
		fds = append(fds, int(int32(binary.NativeEndian.Uint32(data))))
	}
	return fds
}

// makePrivate lets no other program inherit descriptors that have come, on systems whose kernel does not do that.
func (m ControlMessage) makePrivate() {
	if sys.MsgCmsgCloexec == 0 {
		for _, fd := range m.Fds() {
			unix.CloseOnExec(fd)
		}
	}
}
