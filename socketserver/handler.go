//go:build unix || windows

package socketserver

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"time"

	"github.com/pyselect/pyselect/socket"
)

// A RequestHandler handles one request. Embed a BaseRequestHandler, a StreamRequestHandler or a DatagramRequestHandler in a type
// that has Handle. An error is passed to HandleError, and ends nothing else; so is a panic. The methods may block as long as they
// like, but if the Mode of the server is Sequential, nobody else is served meanwhile.
type RequestHandler interface {
	// Init is called first, with what Python gives to __init__.
	Init(request Request, clientAddress net.Addr, server *Server)

	// Setup is called before Handle. If it fails, neither Handle nor Finish is called.
	Setup() error

	// Handle does the work.
	Handle() error

	// Finish is called after Handle, whatever that has returned. Its error counts if Handle had none.
	Finish() error
}

// A BaseRequestHandler is what handlers have in common. It mirrors BaseRequestHandler.
type BaseRequestHandler struct {
	Request       Request
	ClientAddress net.Addr
	Server        *Server // in a process of Forking one that has neither a socket nor hooks
}

// Init sets the fields.
func (h *BaseRequestHandler) Init(request Request, clientAddress net.Addr, server *Server) {
	h.Request, h.ClientAddress, h.Server = request, clientAddress, server
}

// Setup does nothing.
func (*BaseRequestHandler) Setup() error { return nil }

// Finish does nothing.
func (*BaseRequestHandler) Finish() error { return nil }

// A StreamRequestHandler has a reader and a writer for the connection. A type that has a Setup or a Finish of its own calls
// these. It mirrors StreamRequestHandler.
type StreamRequestHandler struct {
	BaseRequestHandler

	// Rbufsize is the size of Rfile's buffer, 0 or less for 8192. (Python's 0 is no buffer.)
	Rbufsize int

	// Wbufsize is the size of Wfile's buffer, 0 for none, less for 8192.
	Wbufsize int

	// Timeout is that of the connection; 0 for none.
	Timeout time.Duration

	// DisableNagleAlgorithm says whether to set TCP_NODELAY.
	DisableNagleAlgorithm bool

	// Connection is the socket of the request.
	Connection *socket.Socket

	// Rfile reads from the connection.
	Rfile *bufio.Reader

	// Wfile writes to the connection: all, at once if Wbufsize is 0, or else when the buffer is full, at Flush and at Finish.
	Wfile Writer
}

// A Writer is Wfile. Flush writes what is buffered.
type Writer interface {
	io.Writer
	Flush() error
}

// Setup sets Connection, Rfile and Wfile, and the options of the connection.
func (h *StreamRequestHandler) Setup() error {
	h.Connection = h.Request.Socket
	if h.Timeout != 0 {
		if err := h.Connection.Settimeout(h.Timeout); err != nil {
			return err
		}
	}
	if h.DisableNagleAlgorithm {
		if err := h.Connection.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); err != nil {
			return err
		}
	}
	h.Rfile = bufio.NewReaderSize(h.Connection, bufsize(h.Rbufsize))
	h.Wfile = unbuffered{h.Connection}
	if h.Wbufsize != 0 {
		h.Wfile = bufio.NewWriterSize(h.Connection, bufsize(h.Wbufsize))
	}
	return nil
}

func bufsize(size int) int {
	if size <= 0 {
		return 8192 // Python's default
	}
	return size
}

// Finish flushes Wfile.
func (h *StreamRequestHandler) Finish() error { return h.Wfile.Flush() }

// An unbuffered is a Writer that has no buffer.
type unbuffered struct{ io.Writer }

func (unbuffered) Flush() error { return nil }

// A DatagramRequestHandler reads a datagram like a file, and sends what was written when it is done. It mirrors
// DatagramRequestHandler.
type DatagramRequestHandler struct {
	BaseRequestHandler

	Packet []byte         // the datagram
	Socket *socket.Socket // of the server
	Rfile  *bytes.Reader  // reads the datagram
	Wfile  *bytes.Buffer  // what is sent to the client at Finish, as one datagram
}

// Setup sets the fields.
func (h *DatagramRequestHandler) Setup() error {
	h.Packet, h.Socket = h.Request.Data, h.Request.Socket
	h.Rfile, h.Wfile = bytes.NewReader(h.Packet), new(bytes.Buffer)
	return nil
}

// Finish sends what Wfile has to the client.
func (h *DatagramRequestHandler) Finish() error {
	_, err := h.Socket.Sendto(h.Wfile.Bytes(), h.ClientAddress)
	return err
}
