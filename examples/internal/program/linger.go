//go:build unix

package program

import (
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/socket"
)

// LingerTime is how long a client that has its answer may take to close the connection.
const LingerTime = 2 * time.Second

// Lingering are the connections whose clients have their answer. To close such a connection at once would break it off, as the
// client may still be sending, and the client might lose its answer. So the server says that this is all, and receives until the
// client closes the connection.
type Lingering struct {
	queue []lingerer // the first is the first to be late
}

type lingerer struct {
	fd       int
	sock     *socket.Socket
	deadline time.Time
}

// Add says to the client of a connection that this is all.
func (l *Lingering) Add(fd int, sock *socket.Socket) {
	sock.Shutdown(socket.SHUT_WR)
	l.queue = append(l.queue, lingerer{fd, sock, time.Now().Add(LingerTime)})
}

// ResetLate resets the connections that are late to be closed, and returns when the next one will be late. The open ones are
// the server's connections; closeConnection closes one of them.
func (l *Lingering) ResetLate(open map[int]*socket.Socket, closeConnection func(fd int)) time.Duration {
	for ; len(l.queue) > 0; l.queue = l.queue[1:] {
		first := l.queue[0]
		if open[first.fd] != first.sock {
			continue // it is closed
		}
		if left := time.Until(first.deadline); left > 0 {
			return left
		}
		first.sock.SetLinger(true, 0)
		closeConnection(first.fd)
	}
	return pyselect.Forever
}
