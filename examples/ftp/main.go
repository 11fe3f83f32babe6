//go:build unix || windows

// Ftp uploads and downloads files, of any number of clients at once: the exercise that tutorials of Python's selectors module
// set at their end, ported to Go. Clients and servers in Python that keep to its protocol can talk to it.
//
//	mkdir -p /tmp/x
//	go run ./examples/ftp serve -listen localhost:9000 -dir /tmp/x
//	go run ./examples/ftp put -connect localhost:9000 README.md
//	go run ./examples/ftp get -connect localhost:9000 -dir /tmp README.md
//
// # Protocol
//
//	client             server
//	put|NAME|SIZE
//	                   OK
//	SIZE bytes
//
//	get|NAME|0
//	                   YES|SIZE, or NO|0 if there is no such file
//	a message
//	                   the next 1024 bytes, or what is left
//
// Nothing says where a message ends: in the originals, each is what one recv returns. Here a command may come in pieces. It is
// complete with the first digit of SIZE. SIZE ends at the first byte that is no digit, or with what that recv returned. The end
// of a line that directly follows it there, as nc sends it, is dropped; the rest is the beginning of the data, or the first
// message. So send a command at once, and data that begins with a digit or the end of a line only after the OK. After a
// transfer there may be another command.
//
// What is not understood closes the connection.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

const (
	pieceSize = 1024    // of downloads, part of the protocol
	maxHead   = 1024    // bytes of a command or an answer
	maxSize   = 1 << 40 // bytes of a file

	// Files that are not complete. No client can name them, and a server removes those that it finds when it starts.
	tempPrefix = ".ftp-"

	// How often to look for connections that are idle, and, after accept has failed, whether it goes again.
	tick = time.Second

	// Descriptors reserved for everything but connections and their files.
	ownDescriptors = 20

	// How long a client waits for the server.
	patience = 30 * time.Second
)

const usage = `usage: ftp serve -listen HOST:PORT [-dir DIR] [-timeout DURATION]
       ftp put -connect HOST:PORT FILE
       ftp get -connect HOST:PORT [-dir DIR] NAME
`

func main() {
	command, args := "", os.Args[1:]
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	flags := program.Flags("ftp", "")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	var run func(ctx context.Context) error
	operands := 1
	switch command {
	case "serve":
		listen := flags.String("listen", "localhost:9000", "serve on `HOST:PORT`; port 0 picks a free one")
		timeout := flags.Duration("timeout", time.Minute, "close a connection that has been idle for this `DURATION`; 0 is never")
		dir := flags.String("dir", ".", "the `DIR` of the files; no other server may use it")
		run = func(ctx context.Context) error { return serve(ctx, *listen, *dir, *timeout) }
		operands = 0
	case "put":
		connect := flags.String("connect", "localhost:9000", "upload to the server on `HOST:PORT`")
		run = func(ctx context.Context) error { return put(ctx, *connect, flags.Arg(0)) }
	case "get":
		connect := flags.String("connect", "localhost:9000", "download from the server on `HOST:PORT`")
		dir := flags.String("dir", ".", "where to put the file, a `DIR`")
		run = func(ctx context.Context) error { return get(ctx, *connect, *dir, flags.Arg(0)) }
	default:
		flags.Usage()
		os.Exit(2)
	}
	flags.Parse(args)
	if flags.NArg() != operands {
		program.UsageError(flags, "%d arguments, want %d", flags.NArg(), operands)
	}
	program.Run(run)
}

type server struct {
	sel            *selectors.DefaultSelector
	listener       *socket.Socket
	listening      bool      // the selector watches the listener
	acceptFrom     time.Time // when to accept again after a failure
	root           *os.Root
	timeout        time.Duration
	connections    map[*connection]bool
	maxConnections int
	buf            []byte // that all connections receive into
}

// A callback is the data of a key: what to do when it is ready.
type callback func(key *selectors.SelectorKey, events selectors.Event)

// A connection is either idle, or uploads, or downloads.
type connection struct {
	*socket.Socket
	active time.Time // when it has last made progress
	head   []byte    // of a command that is not complete
	unsent []byte    // of an answer or a piece

	upload   *incoming // or nil
	download *os.File  // or nil
	left     int64     // bytes of the download
}

// serve is the command: it serves until it is interrupted.
func serve(ctx context.Context, listen, dir string, timeout time.Duration) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	listener, addr, err := program.Listen(listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	listener.Setblocking(false)
	if err := removeIncomplete(root); err != nil {
		log.Print(err)
	}
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	defer sel.Close()
	descriptors, err := program.Descriptors()
	if err != nil {
		return err
	}
	s := &server{
		sel:         sel,
		listener:    listener,
		root:        root,
		timeout:     timeout,
		connections: make(map[*connection]bool),
		// Each may have a file open, which needs a descriptor too.
		maxConnections: max(1, (descriptors-ownDescriptors)/2),
		buf:            make([]byte, 64<<10),
	}
	defer func() {
		for c := range s.connections {
			s.close(c)
		}
	}()

	fmt.Println(addr)
	wakeup := context.AfterFunc(ctx, func() { sel.Wakeup() })
	defer wakeup()
	for looked := time.Now(); ctx.Err() == nil; {
		if err := s.listen(len(s.connections) < s.maxConnections && time.Now().After(s.acceptFrom)); err != nil {
			return err
		}
		events, err := sel.Select(tick)
		if err != nil {
			return err
		}
		for _, ready := range events {
			ready.Key.Data.(callback)(ready.Key, ready.Events)
		}
		if now := time.Now(); now.Sub(looked) >= tick {
			looked = now
			s.closeIdle(now)
		}
	}
	return nil
}

// removeIncomplete removes the incomplete files of a server that was killed.
func removeIncomplete(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), tempPrefix) && entry.Type().IsRegular() {
			err = errors.Join(err, root.Remove(entry.Name()))
		}
	}
	return err
}

// listen sets whether the selector watches the listener.
func (s *server) listen(on bool) (err error) {
	switch {
	case on && !s.listening:
		_, err = s.sel.Register(s.listener, selectors.EventRead, callback(s.accept))
	case !on && s.listening:
		_, err = s.sel.Unregister(s.listener)
	}
	s.listening = on
	return err
}

func (s *server) accept(*selectors.SelectorKey, selectors.Event) {
	sock, _, err := s.listener.Accept()
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if err != nil {
		// The listener stays ready, and the loop would spin.
		log.Printf("%v; next try in %v", err, tick)
		s.acceptFrom = time.Now().Add(tick)
		return
	}
	sock.Setblocking(false)
	c := &connection{Socket: sock, active: time.Now()}
	if _, err := s.sel.Register(c, selectors.EventRead, callback(s.serviceConnection)); err != nil {
		log.Print(err)
		sock.Close()
		return
	}
	s.connections[c] = true
}

// close ends a connection. Of an upload that is not complete, nothing stays.
func (s *server) close(c *connection) {
	s.sel.Unregister(c)
	delete(s.connections, c)
	c.Close()
	if c.upload != nil {
		c.upload.abort()
	}
	if c.download != nil {
		c.download.Close()
	}
}

func (s *server) closeIdle(now time.Time) {
	if s.timeout <= 0 {
		return
	}
	for c := range s.connections {
		if now.Sub(c.active) >= s.timeout {
			s.close(c)
		}
	}
}

// serviceConnection sends what is left to send, or else receives. A client that is gone is no news.
func (s *server) serviceConnection(key *selectors.SelectorKey, _ selectors.Event) {
	c := key.Fileobj.(*connection)
	err := s.exchange(c)
	next := selectors.EventRead
	if len(c.unsent) > 0 {
		next = selectors.EventWrite // and nothing more comes in until then
	}
	if err == nil && next != key.Events {
		_, err = s.sel.Modify(c, next, key.Data)
	}
	if err != nil {
		s.close(c)
	}
}

func (s *server) exchange(c *connection) error {
	if len(c.unsent) == 0 {
		buf := s.buf[:pieceSize] // as much as the originals receive
		if c.upload != nil {
			buf = s.buf[:min(int64(len(s.buf)), c.upload.left)]
		}
		n, err := c.Recv(buf)
		if errors.Is(err, socket.ErrWouldBlock) {
			return nil
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err == nil {
			err = s.received(c, buf[:n])
		}
		if err != nil {
			return err
		}
	}
	if len(c.unsent) > 0 {
		n, err := c.Send(c.unsent)
		if errors.Is(err, socket.ErrWouldBlock) {
			return nil
		}
		if err != nil {
			return err
		}
		c.active = time.Now()
		c.unsent = c.unsent[n:]
	}
	return nil
}

// received does what the data of one recv asks for.
func (s *server) received(c *connection, data []byte) (err error) {
	for len(data) > 0 && err == nil {
		switch {
		case c.upload != nil:
			data, err = c.receiveUpload(data)
		case c.download != nil:
			data, err = nil, c.sendPiece()
		default:
			data, err = s.receiveCommand(c, data)
		}
	}
	return err
}

func (c *connection) receiveUpload(data []byte) (rest []byte, err error) {
	c.active = time.Now()
	n, err := c.upload.Write(data)
	if err != nil {
		return nil, c.fail(err)
	}
	return data[n:], c.endUpload()
}

// endUpload ends an upload that is complete.
func (c *connection) endUpload() error {
	if c.upload.left > 0 {
		return nil
	}
	err := c.upload.commit()
	c.upload = nil
	if err != nil {
		return c.fail(err)
	}
	return nil
}

func (c *connection) sendPiece() error {
	piece := make([]byte, min(pieceSize, c.left))
	if _, err := io.ReadFull(c.download, piece); err != nil {
		return c.fail(fmt.Errorf("%s: %w", c.download.Name(), err))
	}
	c.unsent = append(c.unsent, piece...)
	c.left -= int64(len(piece))
	c.endDownload()
	return nil
}

// endDownload ends a download that is complete.
func (c *connection) endDownload() {
	if c.left == 0 {
		c.download.Close()
		c.download = nil
	}
}

// receiveCommand begins what a command asks for, if all of it is there.
func (s *server) receiveCommand(c *connection, data []byte) (rest []byte, err error) {
	had := len(c.head)
	c.head = append(c.head, data[:min(len(data), maxHead-had)]...)
	command, name, size, rest, err := parseCommand(c.head)
	if len(c.head) == maxHead && len(rest) == 0 {
		return nil, errRefused
	}
	if err == errIncomplete {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rest = cutEOL(data[len(c.head)-len(rest)-had:])
	c.head = nil
	if command == "put" {
		return rest, s.beginUpload(c, name, size)
	}
	return rest, s.beginDownload(c, name)
}

func (s *server) beginUpload(c *connection, name string, size int64) (err error) {
	if !validName(name) {
		return errRefused
	}
	if c.upload, err = newIncoming(s.root, name, size); err != nil {
		return c.fail(err)
	}
	c.unsent = append(c.unsent, "OK"...)
	return c.endUpload()
}

func (s *server) beginDownload(c *connection, name string) error {
	file, size, err := s.open(name)
	if program.OutOfDescriptors(err) {
		return c.fail(err)
	}
	if err != nil {
		c.unsent = append(c.unsent, "NO|0"...)
		return nil
	}
	c.download, c.left = file, size
	c.unsent = fmt.Appendf(c.unsent, "YES|%d", size)
	c.endDownload()
	return nil
}

func (s *server) open(name string) (*os.File, int64, error) {
	if !validName(name) {
		return nil, 0, fs.ErrNotExist
	}
	// A named pipe would wait for somebody to write to it.
	file, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// fail is for what is not the client's fault: the connection is reset when it is closed, so that the client does not believe
// that its upload has succeeded.
func (c *connection) fail(err error) error {
	log.Print(err)
	return errors.Join(err, c.SetLinger(true, 0))
}

var (
	errIncomplete = errors.New("incomplete")
	errRefused    = errors.New("not understood")
)

// parseCommand returns the fields of a command and what follows it. The error is errIncomplete or errRefused.
func parseCommand(head []byte) (command, name string, size int64, rest []byte, err error) {
	fields := strings.SplitN(string(head), "|", 3)
	command = fields[0]
	switch {
	case len(fields) == 1 && (strings.HasPrefix("put", command) || strings.HasPrefix("get", command)):
		return "", "", 0, nil, errIncomplete
	case command != "put" && command != "get":
		return "", "", 0, nil, errRefused
	case len(fields) == 2:
		return "", "", 0, nil, errIncomplete
	}
	size, rest, err = parseSize(head[len(head)-len(fields[2]):])
	return command, fields[1], size, rest, err
}

// parseSize returns the number that data begins with and what follows it. The error is errIncomplete or errRefused.
func parseSize(data []byte) (size int64, rest []byte, err error) {
	if len(data) == 0 {
		return 0, nil, errIncomplete
	}
	rest = bytes.TrimLeft(data, "0123456789")
	size, err = strconv.ParseInt(string(data[:len(data)-len(rest)]), 10, 64)
	if err != nil || size > maxSize {
		return 0, nil, errRefused
	}
	return size, rest, nil
}

// cutEOL returns data without the end of a line that it begins with, if it does.
func cutEOL(data []byte) []byte {
	if rest, found := bytes.CutPrefix(data, []byte("\r\n")); found {
		return rest
	}
	return bytes.TrimPrefix(data, []byte("\n"))
}

// validName reports whether a name is that of a file in a directory, and of one that a client may know of.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, `/\|`) &&
		!strings.ContainsFunc(name, unicode.IsControl) && !strings.HasPrefix(name, tempPrefix)
}

// An incoming is a file that is not complete. It gets its name when it is.
type incoming struct {
	*os.File
	root       *os.Root
	temp, name string
	left       int64 // bytes that are to come
}

func newIncoming(root *os.Root, name string, size int64) (*incoming, error) {
	temp := tempPrefix + rand.Text()
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &incoming{file, root, temp, name, size}, nil
}

// Write writes as much of data as belongs to the file.
func (f *incoming) Write(data []byte) (int, error) {
	n, err := f.File.Write(data[:min(f.left, int64(len(data)))])
	f.left -= int64(n)
	return n, err
}

func (f *incoming) commit() error {
	err := f.Close()
	if err == nil {
		err = f.root.Rename(f.temp, f.name)
	}
	if err != nil {
		f.root.Remove(f.temp)
	}
	return err
}

func (f *incoming) abort() {
	f.Close()
	f.root.Remove(f.temp)
}

// put is the command: it uploads a file.
func put(ctx context.Context, addr, path string) error {
	name := filepath.Base(path)
	if !validName(name) {
		return fmt.Errorf("%q is no name that can be uploaded", name)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return connected(ctx, addr, func(sock *socket.Socket) error {
		if err := sock.Sendall(fmt.Appendf(nil, "put|%s|%d", name, info.Size())); err != nil {
			return err
		}
		for answer := ""; answer != "OK"; {
			more, err := receive(sock, len("OK")-len(answer))
			if answer += string(more); err == nil && !strings.HasPrefix("OK", answer) {
				err = fmt.Errorf("the answer is %q", answer)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		bar := newProgress(name, info.Size())
		buf := make([]byte, 64<<10)
		for left := info.Size(); left > 0; {
			n, err := io.ReadFull(file, buf[:min(left, int64(len(buf)))])
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if err := sock.Sendall(buf[:n]); err != nil {
				return err
			}
			left -= int64(n)
			bar.add(n)
		}
		return confirmed(sock)
	})
}

// confirmed waits until the server has received everything. The protocol has no word for it, but the server closes the
// connection then, or resets it after a failure. One that keeps it open is believed.
func confirmed(sock *socket.Socket) error {
	err := sock.Settimeout(5 * time.Second)
	if err != nil {
		return err
	}
	shutdown := sock.Shutdown(socket.SHUT_WR)
	_, err = receive(sock, 1) // which says more of a connection that cannot be shut down
	if err == io.ErrUnexpectedEOF || errors.Is(err, os.ErrDeadlineExceeded) {
		return shutdown
	}
	return err
}

// get is the command: it downloads a file.
func get(ctx context.Context, addr, dir, name string) error {
	if !validName(name) {
		return fmt.Errorf("%q is no name that can be downloaded", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return connected(ctx, addr, func(sock *socket.Socket) error {
		if err := sock.Sendall(fmt.Appendf(nil, "get|%s|0", name)); err != nil {
			return err
		}
		size, err := receiveAnswer(sock)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		file, err := newIncoming(root, name, size)
		if err != nil {
			return err
		}
		if err := download(sock, file); err != nil {
			file.abort()
			return err
		}
		return file.commit()
	})
}

// receiveAnswer returns the size of the file that the server is going to send.
func receiveAnswer(sock *socket.Socket) (int64, error) {
	var answer []byte
	for {
		more, err := receive(sock, maxHead)
		if err != nil {
			return 0, err
		}
		answer = append(answer, more...)
		word, number, found := strings.Cut(string(answer), "|")
		size, rest, err := parseSize([]byte(number))
		switch {
		case !found && (strings.HasPrefix("YES", word) || strings.HasPrefix("NO", word)):
		case found && (word == "YES" || word == "NO") && err == errIncomplete:
		case !found || err != nil || len(rest) > 0 || word != "YES" && word != "NO":
			return 0, fmt.Errorf("the answer is %.40q", answer)
		case word == "NO":
			return 0, errors.New("the server has no such file")
		default:
			return size, nil
		}
	}
}

func download(sock *socket.Socket, file *incoming) error {
	bar := newProgress(file.name, file.left)
	for file.left > 0 {
		if err := sock.Sendall([]byte("OK")); err != nil {
			return err
		}
		// All of a piece, before the next message: one too many would be taken for a command.
		for left := min(pieceSize, file.left); left > 0; {
			data, err := receive(sock, int(left))
			if err != nil {
				return err
			}
			if _, err := file.Write(data); err != nil {
				return err
			}
			left -= int64(len(data))
			bar.add(len(data))
		}
	}
	return nil
}

// receive receives up to n bytes. The end of the connection is io.ErrUnexpectedEOF.
func receive(sock *socket.Socket, n int) ([]byte, error) {
	buf := make([]byte, n)
	n, err := sock.Recv(buf)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return buf[:n], err
}

// connected calls f with a socket that is connected to the server, and makes an interrupt end what that waits for.
func connected(ctx context.Context, addr string, f func(sock *socket.Socket) error) error {
	sock, err := program.Dial(ctx, addr, patience)
	if err != nil {
		return err
	}
	defer sock.Close()
	defer context.AfterFunc(ctx, func() { sock.Close() })()
	if err := f(sock); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return nil
}

// A progress is a bar on a terminal, and otherwise a line for each tenth.
type progress struct {
	name        string
	done, total int64
	bar         bool
	shown       int64 // percent
}

func newProgress(name string, total int64) *progress {
	info, err := os.Stderr.Stat()
	p := &progress{name: name, total: total, bar: err == nil && info.Mode()&os.ModeCharDevice != 0, shown: -1}
	p.add(0)
	return p
}

// add shows that n more bytes are done.
func (p *progress) add(n int) {
	p.done += int64(n)
	percent := int64(100)
	if p.total > 0 {
		percent = p.done * 100 / p.total
	}
	switch {
	case percent == p.shown:
		return
	case p.bar:
		fmt.Fprintf(os.Stderr, "\r%s [%-50s] %3d%%", p.name, strings.Repeat("#", int(percent/2)), percent)
		if percent == 100 {
			fmt.Fprintln(os.Stderr)
		}
	case p.shown >= 0 && percent/10 == p.shown/10:
		return
	default:
		fmt.Fprintf(os.Stderr, "%s: %d of %d bytes\n", p.name, p.done, p.total)
	}
	p.shown = percent
}
