//go:build linux

// Static is a web server for the files of a directory: the HTTP server that tutorials of Python's select.epoll build up, in
// its last form, which is edge-triggered, ported to Go and serving files instead of one fixed page.
//
//	go run ./examples/static -listen localhost:8080 -root .
//	curl -i localhost:8080/README.md
//
// An edge-triggered epoll says once that a socket has become readable or writable, and no more until recv or send has failed
// because it was not. The originals therefore repeat these calls until they fail, and a client that is fast enough keeps all
// others waiting. Here each connection has its turn, and goes to the end of the ready list when that is over.
//
// Package net/http reads the requests and decides what answers them, and what its server refuses is refused here. Not served are
// files outside of the directory, whatever the path or a symbolic link says, and paths in which a name begins with a dot. (A
// symbolic link in the directory that has another name may lead to such a file there.)
//
// It is for Linux: no other system has an epoll, and no selector tells edges.
package main

import (
	"bufio"
	"bytes"
	"context"
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
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

const (
	maxHead  = 16 << 10 // bytes of the head of a request
	maxBody  = 1 << 18  // bytes of the body of a request that is skipped; after a longer one, the connection ends
	maxDrain = 1 << 20  // bytes that are skipped after the last response

	// What a turn is: so many system calls on a connection, each of which moves so many bytes at most.
	stepsPerTurn = 8
	maxRecv      = 16 << 10
	maxSendfile  = 128 << 10

	acceptsPerTurn = 64

	// How often to look for connections that are idle, and, after accept has failed, whether it goes again.
	tick = time.Second

	// Descriptors reserved for everything but connections and their files.
	ownDescriptors = 20
)

// The two ways in which an empty line ends the head of a request.
var eol1, eol2 = []byte("\n\n"), []byte("\n\r\n")

// What a Host may consist of, as in net/http.
const hostBytes = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~:[]%!$&'()*+,;="

var errFlood = errors.New("the client goes on sending after the last response")

func main() {
	flags := program.Flags("static", "[-listen HOST:PORT] [-root DIR] [-timeout DURATION] [-v]")
	listen := flags.String("listen", "localhost:8080", "serve on `HOST:PORT`; port 0 picks a free one")
	dir := flags.String("root", ".", "serve the files of `DIR`")
	timeout := flags.Duration("timeout", 30*time.Second, "close a connection that has been idle for this `DURATION`; 0 is never")
	program.Verbose(flags)
	program.Parse(flags)
	program.Run(func(ctx context.Context) error { return run(ctx, *listen, *dir, *timeout) })
}

type server struct {
	serversocket *socket.Socket
	epoll        *pyselect.Epoll
	root         *os.Root
	timeout      time.Duration
	buf          []byte // that all connections receive into

	connections    map[int]*connection
	maxConnections int
	ready          []*connection // those that may have something to do

	acceptable bool      // clients may be waiting
	acceptFrom time.Time // when to accept again after a failure
}

// A connection either waits for a request, or sends the response to one. What comes in the meantime stays in the kernel.
type connection struct {
	*socket.Socket
	fileno  int
	peer    net.Addr
	isReady bool      // it is in the ready list
	active  time.Time // when it has last got a request or sent something

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

// run serves until ctx is done.
func run(ctx context.Context, listen, dir string, timeout time.Duration) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	serversocket, addr, err := program.Listen(listen)
	if err != nil {
		return err
	}
	defer serversocket.Close()
	serversocket.Setblocking(false)
	// Connections inherit it. What belongs together is sent together, and nothing gains by waiting for more.
	if err := serversocket.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); err != nil {
		return err
	}
	epoll, err := pyselect.NewEpoll()
	if err != nil {
		return err
	}
	defer epoll.Close()
	if err := epoll.Register(serversocket, pyselect.EPOLLIN|pyselect.EPOLLET); err != nil {
		return err
	}
	descriptors, err := program.Descriptors()
	if err != nil {
		return err
	}
	s := &server{
		serversocket: serversocket,
		epoll:        epoll,
		root:         root,
		timeout:      timeout,
		buf:          make([]byte, maxRecv),
		connections:  make(map[int]*connection),
		// Each may send a file, which needs a descriptor too.
		maxConnections: max(1, (descriptors-ownDescriptors)/2),
	}
	defer s.close()

	fmt.Println(addr)
	stop := context.AfterFunc(ctx, func() { epoll.Close() })
	defer stop()
	return s.serve()
}

func (s *server) close() {
	for _, c := range s.connections {
		s.closeConnection(c)
	}
}

// serve is the loop, which ends when the epoll is closed.
func (s *server) serve() error {
	for looked := time.Now(); ; {
		timeout := tick
		if len(s.ready) > 0 || s.mayAccept() {
			timeout = 0
		}
		events, err := s.epoll.Poll(timeout, -1)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			if c := s.connections[event.Fd]; c != nil {
				s.makeReady(c)
			} else {
				s.acceptable = true
			}
		}
		if s.mayAccept() {
			s.accept()
		}
		ready := s.ready
		s.ready = nil
		for _, c := range ready {
			s.turn(c)
		}
		if now := time.Now(); now.Sub(looked) >= tick {
			looked = now
			s.closeIdle(now)
		}
	}
}

func (s *server) mayAccept() bool {
	return s.acceptable && len(s.connections) < s.maxConnections && time.Now().After(s.acceptFrom)
}

// accept takes clients until none waits, or it is time for something else.
func (s *server) accept() {
	for range min(acceptsPerTurn, s.maxConnections-len(s.connections)) {
		sock, peer, err := s.serversocket.Accept()
		if errors.Is(err, socket.ErrWouldBlock) {
			s.acceptable = false
			return
		}
		if err != nil {
			// They still wait, and the epoll does not say it again.
			log.Printf("%v; next try in %v", err, tick)
			s.acceptFrom = time.Now().Add(tick)
			return
		}
		sock.Setblocking(false)
		c := &connection{Socket: sock, peer: peer, active: time.Now()}
		c.fileno, err = sock.Fileno()
		if err == nil {
			// Once for all: what is not waited for now does no harm, as it is reported only once.
			err = s.epoll.Register(sock, pyselect.EPOLLIN|pyselect.EPOLLOUT|pyselect.EPOLLRDHUP|pyselect.EPOLLET)
		}
		if err != nil {
			if !errors.Is(err, os.ErrClosed) { // as the epoll is when the server ends
				log.Print(program.PeerError(peer, err))
			}
			sock.Close()
			continue
		}
		s.connections[c.fileno] = c
		program.Logf("%v: connected", peer)
	}
}

func (s *server) closeConnection(c *connection) {
	delete(s.connections, c.fileno)
	s.epoll.Unregister(c.fileno)
	c.Close()
	c.closeFile()
	program.Logf("%v: closed", c.peer)
}

func (s *server) closeIdle(now time.Time) {
	if s.timeout <= 0 {
		return
	}
	for _, c := range s.connections {
		if now.Sub(c.active) >= s.timeout {
			program.Logf("%v: idle for %v", c.peer, s.timeout)
			s.closeConnection(c)
		}
	}
}

func (s *server) makeReady(c *connection) {
	if !c.isReady {
		c.isReady = true
		s.ready = append(s.ready, c)
	}
}

// turn does what a connection can do now, up to some amount.
func (s *server) turn(c *connection) {
	if s.connections[c.fileno] != c {
		return // it was idle
	}
	c.isReady = false
	for range stepsPerTurn {
		err := s.step(c)
		if errors.Is(err, socket.ErrWouldBlock) {
			return // until the epoll reports it
		}
		if err != nil {
			if err != io.EOF {
				program.Logf("%v", program.PeerError(c.peer, err))
			}
			s.closeConnection(c)
			return
		}
	}
	s.makeReady(c)
}

// step does the next thing that there is to do for a connection. The error is io.EOF when that was all.
func (s *server) step(c *connection) error {
	switch {
	case len(c.response) > 0:
		return c.sendResponse()
	case c.file != nil:
		return c.sendFile()
	case c.last && !c.drain:
		// To close a connection while the client still sends would reset it, and the response with it.
		c.drain, c.skip = true, maxDrain
		return c.Shutdown(socket.SHUT_WR)
	case !c.drain && s.answer(c):
		return nil
	case c.eof:
		return io.EOF
	}
	return c.receive(s.buf)
}

func (c *connection) receive(buf []byte) error {
	n, err := c.Recv(buf)
	if err != nil {
		return err
	}
	c.eof = n == 0
	if !c.drain {
		c.request = append(c.request, buf[:n]...)
		return nil
	}
	if c.skip -= int64(n); c.skip < 0 {
		return errors.Join(errFlood, c.reset())
	}
	return nil
}

// reset lets the client see the connection break off when it is closed, and the kernel forget what is still to be sent.
func (c *connection) reset() error {
	return c.SetLinger(true, 0)
}

func (c *connection) sendResponse() error {
	flags := 0
	if c.file != nil {
		flags = socket.MSG_MORE // in one packet with the beginning of the file
	}
	n, err := c.Send(c.response, flags)
	if err != nil {
		return err
	}
	c.active = time.Now()
	c.response = c.response[n:]
	return nil
}

func (c *connection) sendFile() error {
	n, err := c.Sendfile(c.file, c.offset, min(c.end-c.offset, maxSendfile))
	switch {
	case err != nil:
		return err
	case n == 0:
		return io.ErrUnexpectedEOF // it has become shorter than it was said to be
	}
	c.offset += n
	c.active = time.Now()
	if c.offset == c.end {
		c.closeFile()
	}
	return nil
}

func (c *connection) closeFile() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// answer prepares the response to the next request, if all of its head is there or no more of it will come.
func (s *server) answer(c *connection) bool {
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
		if len(c.request) <= maxHead && !c.eof {
			return false
		}
		end = len(c.request)
	}
	head := c.request[:end]
	c.request = c.request[end:]
	c.active = time.Now()

	w := &response{header: http.Header{"X-Content-Type-Options": {"nosniff"}}}
	request, status := parse(head)
	if status == 0 {
		c.skip, c.last = request.ContentLength, request.Close
		s.respond(c.peer, w, request)
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
	program.Logf("%v: %.200q: %s", c.peer, firstLine(head), firstLine(c.response))
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

func firstLine(p []byte) []byte {
	line, _, _ := bytes.Cut(p, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// parse parses the head of a request and makes the checks that http.ReadRequest leaves to a server. The status is that of the
// response to a request which is refused, and 0 otherwise. If Close is set, the connection ends after the response.
func parse(head []byte) (request *http.Request, status int) {
	if len(head) > maxHead {
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
func (s *server) respond(peer net.Addr, w *response, request *http.Request) {
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
func (s *server) open(name string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) || strings.Contains("/"+name, "/.") {
		return nil, nil, fs.ErrNotExist
	}
	// A named pipe would wait for somebody to write to it.
	file, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
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
