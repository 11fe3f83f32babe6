//go:build unix || windows

// Package web is what the web servers among the examples have in common: HTTP for the files of a directory.
//
// Package net/http reads the requests and decides what answers them, and what its server refuses is refused here. Not served are
// files outside of the directory, whatever the path or a symbolic link says, and paths in which a name begins with a dot.
package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

const (
	MaxHead  = 16 << 10 // bytes of the head of a request
	maxBody  = 1 << 18  // bytes of the body of a request that is skipped; after a longer one, the connection ends
	maxDrain = 1 << 20  // bytes that are skipped after the last response

	// What a step moves at most.
	MaxRecv     = 16 << 10
	maxSendfile = 128 << 10
)

// The two ways in which an empty line ends the head of a request.
var eol1, eol2 = []byte("\n\n"), []byte("\n\r\n")

// What a Host may consist of, as in net/http.
const hostBytes = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~:[]%!$&'()*+,;="

var errFlood = errors.New("the client goes on sending after the last response")

// Listen returns a non-blocking socket that listens at an address, and which that is.
func Listen(address string) (*socket.Socket, net.Addr, error) {
	listener, addr, err := program.Listen(address)
	if err != nil {
		return nil, nil, err
	}
	listener.Setblocking(false)
	// Connections inherit it. What belongs together is sent together, and nothing gains by waiting for more.
	if err := listener.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); err != nil {
		listener.Close()
		return nil, nil, err
	}
	return listener, addr, nil
}

// OwnDescriptors is how many descriptors are reserved for everything but connections and their files.
const OwnDescriptors = 20

// MaxConnections returns how many connections there can be at once: each may send a file, which needs a descriptor too.
func MaxConnections() (int, error) {
	descriptors, err := program.Descriptors()
	return max(1, (descriptors-OwnDescriptors)/2), err
}

// A Site is the files of a directory.
type Site struct{ root *os.Root }

// Open returns the files of a directory.
func Open(dir string) (*Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Site{root}, nil
}

// Close closes the directory.
func (s *Site) Close() error { return s.root.Close() }

// A Transport is a non-blocking socket, with TLS or without. Its Shutdown tells the client that this is all.
type Transport interface {
	Recv(p []byte, flags ...int) (n int, err error)
	Send(p []byte, flags ...int) (n int, err error)
	Sendfile(file *os.File, offset, count int64) (sent int64, err error)
	Shutdown(how int) error
	SetLinger(on bool, seconds int) error
	Close() error
}

// A Conn is the server's side of a connection. It either waits for a request, or sends the response to one. What comes in the
// meantime stays in the kernel.
type Conn struct {
	Transport
	Site      *Site
	Peer      net.Addr
	Buf       []byte    // to receive into, which others may do too
	SendFlags int       // of Send, for the head of a response that has a file
	Active    time.Time // when it has come, last got a request, or sent something

	request []byte // received and not answered yet
	skip    int64  // bytes to come that are no request: the body of the last one, or what may come after the last response
	eof     bool   // the client sends no more

	response []byte // the head, and the body if that is no file
	part            // the rest of the body, if it is one
	last     bool   // there is no response after this one
	drain    bool   // the last response is sent
}

// A part of a file.
type part struct {
	file        *os.File // nil if there is none
	offset, end int64
}

// Close closes the connection.
func (c *Conn) Close() {
	c.Transport.Close()
	c.closeFile()
}

// Step does the next thing that there is to do. The error is io.EOF when that was all.
func (c *Conn) Step() error {
	switch {
	case len(c.response) > 0:
		return c.sendResponse()
	case c.file != nil:
		return c.sendFile()
	case c.last && !c.drain:
		// To close a connection while the client still sends would reset it, and the response with it.
		if err := c.Shutdown(socket.SHUT_WR); err != nil {
			return err
		}
		c.drain, c.skip = true, maxDrain
		return nil
	case !c.drain && c.answer():
		return nil
	case c.eof:
		return io.EOF
	}
	return c.receive()
}

func (c *Conn) receive() error {
	n, err := c.Recv(c.Buf)
	if err != nil {
		return err
	}
	c.eof = n == 0
	if !c.drain {
		c.request = append(c.request, c.Buf[:n]...)
		return nil
	}
	if c.skip -= int64(n); c.skip < 0 {
		return errors.Join(errFlood, c.reset())
	}
	return nil
}

// reset lets the client see the connection break off when it is closed, and the kernel forget what is still to be sent.
func (c *Conn) reset() error {
	return c.SetLinger(true, 0)
}

func (c *Conn) sendResponse() error {
	flags := 0
	if c.file != nil {
		flags = c.SendFlags
	}
	n, err := c.Send(c.response, flags)
	if err != nil {
		return err
	}
	c.Active = time.Now()
	c.response = c.response[n:]
	return nil
}

func (c *Conn) sendFile() error {
	n, err := c.Sendfile(c.file, c.offset, min(c.end-c.offset, maxSendfile))
	switch {
	case err != nil:
		return err
	case n == 0:
		return io.ErrUnexpectedEOF // it has become shorter than it was said to be
	}
	c.offset += n
	c.Active = time.Now()
	if c.offset == c.end {
		c.closeFile()
	}
	return nil
}

func (c *Conn) closeFile() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// answer prepares the response to the next request, if all of its head is there or no more of it will come.
func (c *Conn) answer() bool {
	n := min(c.skip, int64(len(c.request)))
	c.skip -= n
	// Some clients send an end of a line after a body.
	c.request = bytes.TrimLeft(c.request[n:], "\r\n")
	if len(c.request) == 0 {
		c.request = nil
		return false
	}
	end := headEnd(c.request)
	if end < 0 {
		if len(c.request) <= MaxHead && !c.eof {
			return false
		}
		end = len(c.request)
	}
	head := c.request[:end]
	c.request = c.request[end:]
	c.Active = time.Now()

	w := &response{header: http.Header{"X-Content-Type-Options": {"nosniff"}}}
	request, status := parse(head)
	if status == 0 {
		c.skip, c.last = request.ContentLength, request.Close
		c.Site.respond(c.Peer, w, request)
	} else {
		c.last = true // nobody knows where the next request begins
		w.fail(status)
	}
	switch {
	case c.last:
		w.header.Set("Connection", "close")
	case !request.ProtoAtLeast(1, 1):
		w.header.Set("Connection", "keep-alive")
	}
	c.response, c.part = w.bytes(bytes.HasPrefix(head, []byte("HEAD "))), w.part
	program.Logf("%v: %.200q: %s", c.Peer, program.FirstLine(head), program.FirstLine(c.response))
	return true
}

// headEnd returns where the head of a request ends, or -1.
func headEnd(request []byte) int {
	end := -1
	for _, eol := range [][]byte{eol1, eol2} {
		if i := bytes.Index(request, eol); i >= 0 && (end < 0 || i+len(eol) < end) {
			end = i + len(eol)
		}
	}
	return end
}

// parse parses the head of a request and makes the checks that http.ReadRequest leaves to a server. The status is that of the
// response to a request which is refused, and 0 otherwise. If Close is set, the connection ends after the response.
func parse(head []byte) (request *http.Request, status int) {
	if len(head) > MaxHead {
		return nil, http.StatusRequestHeaderFieldsTooLarge
	}
	r := bufio.NewReader(bytes.NewReader(head))
	lines := textproto.NewReader(r)
	lines.ReadLine()
	fields, err := lines.ReadMIMEHeader() // with those that ReadRequest removes
	if err != nil {
		return nil, http.StatusBadRequest
	}
	r.Reset(bytes.NewReader(head))
	request, err = http.ReadRequest(r)
	_, isCoded := fields["Transfer-Encoding"]
	switch {
	case fmt.Sprintf("%T", err) == "*http.unsupportedTEError":
		return nil, http.StatusNotImplemented
	case err != nil:
		return nil, http.StatusBadRequest
	case request.ProtoMajor != 1:
		return nil, http.StatusHTTPVersionNotSupported
	case fields["Host"] == nil && request.ProtoAtLeast(1, 1), strings.Trim(fields.Get("Host"), hostBytes) != "":
		return nil, http.StatusBadRequest
	}
	for name := range fields {
		if strings.Contains(name, " ") { // which ReadMIMEHeader lets pass
			return nil, http.StatusBadRequest
		}
	}
	expect := request.Header.Get("Expect")
	if expect != "" && !strings.EqualFold(expect, "100-continue") {
		return nil, http.StatusExpectationFailed
	}
	// Chunks are not read. Nor is a body whose client waits to be told to continue.
	if isCoded || request.ContentLength >= maxBody || request.ContentLength > 0 && expect != "" {
		request.Close = true
	}
	return request, 0
}

// respond writes the response to a request of a peer.
func (s *Site) respond(peer net.Addr, w *response, request *http.Request) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		w.header.Set("Allow", "GET, HEAD")
		w.fail(http.StatusMethodNotAllowed)
		return
	}
	if request.URL.Opaque != "" || request.URL.Path == "*" { // there is no path
		w.fail(http.StatusBadRequest)
		return
	}
	name := strings.TrimPrefix(request.URL.Path, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	file, info, err := s.open(name)
	switch {
	case program.OutOfDescriptors(err):
		log.Print(program.PeerError(peer, err))
		w.fail(http.StatusServiceUnavailable)
	case errors.Is(err, fs.ErrPermission):
		w.fail(http.StatusForbidden)
	case err != nil:
		w.fail(http.StatusNotFound)
	case info.IsDir():
		file.Close()
		directory := url.URL{Path: "/" + name + "/", RawQuery: request.URL.RawQuery}
		w.header.Set("Location", directory.String())
		w.fail(http.StatusMovedPermanently)
	default:
		if strings.Contains(request.Header.Get("Range"), ",") {
			request.Header.Del("Range") // more than one part would not be a part of the file
		}
		http.ServeContent(w, request, name, info.ModTime(), file)
		if w.file == nil {
			file.Close()
		}
	}
}

// open opens a file or directory that is in the root, whatever the name and symbolic links say. No part of the name may begin
// with a dot.
func (s *Site) open(name string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) || strings.Contains("/"+name, "/.") {
		return nil, nil, fs.ErrNotExist
	}
	// A named pipe would wait for somebody to write to it.
	file, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// A response is what an http.ResponseWriter is told. Its body is in memory, or a part of a file, which sendfile(2) will read.
type response struct {
	header http.Header
	status int
	body   []byte
	part
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) { w.status = status }

func (w *response) Write(p []byte) (n int, err error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

// ReadFrom takes a part of a file as the body: http.ServeContent copies it, up to a limit, from where the file is read.
func (w *response) ReadFrom(r io.Reader) (n int64, err error) {
	limited := r.(*io.LimitedReader)
	if limited.N > 0 {
		w.file = limited.R.(*os.File)
		w.offset, err = w.file.Seek(0, io.SeekCurrent)
		w.end = w.offset + limited.N
	}
	return limited.N, err
}

// fail makes the response one that says no more than the status.
func (w *response) fail(status int) {
	http.Error(w, fmt.Sprint(status, " ", http.StatusText(status)), status)
}

// bytes returns the response as it is sent, without the file.
func (w *response) bytes(noBody bool) []byte {
	w.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if w.status != http.StatusNotModified && w.header.Get("Content-Length") == "" {
		w.header.Set("Content-Length", strconv.Itoa(len(w.body)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	w.header.Write(&b)
	b.WriteString("\r\n")
	if !noBody {
		b.Write(w.body)
	}
	return b.Bytes()
}
