//go:build linux

package differential

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// An object is a file object, like one of Python's.
type object struct {
	name   string
	fd     int
	closed bool
}

func (o *object) Fileno() (int, error) {
	if o.closed {
		return -1, os.ErrClosed
	}
	return o.fd, nil
}

// unwaitable is not even comparable.
type unwaitable []int

// An answer is the result of a step.
type answer struct {
	text string
	err  error
}

func (a answer) String() string {
	if a.err != nil {
		return "error: " + a.err.Error()
	}
	return a.text
}

// A machine runs steps with this module.
type machine struct {
	poll      *pyselect.Poll
	epoll     *pyselect.Epoll
	selectors map[string]selectors.BaseSelector
	closed    map[string]bool // of the objects above

	// By number.
	count    map[int]int
	current  map[int]*object
	previous map[int]*object
	files    map[int]int // which open file it stands for, 0 for none
	last     int         // file

	sockets map[int]*socket.Socket
	names   int // given to Unix sockets

	old *selectors.SelectorKey // of the step's operand, before the step; nil if there was none

	kernelSet // of the EpollSelector
}

func newMachine() (*machine, error) {
	epoll, err := pyselect.NewEpoll()
	if err != nil {
		return nil, err
	}
	m := &machine{
		poll:      pyselect.NewPoll(),
		epoll:     epoll,
		selectors: map[string]selectors.BaseSelector{},
		closed:    map[string]bool{},
		count:     map[int]int{},
		current:   map[int]*object{},
		previous:  map[int]*object{},
		files:     map[int]int{},
		sockets:   map[int]*socket.Socket{},
		kernelSet: kernelSet{watched: map[int]int{}},
	}
	for n := firstNumber; n < firstNumber+numbers; n++ {
		o := &object{fmt.Sprintf("o%d.0", n), n, true}
		m.current[n], m.previous[n] = o, o
	}
	var errs [3]error
	m.selectors["SelectSelector"], errs[0] = selectors.NewSelectSelector()
	m.selectors["PollSelector"], errs[1] = selectors.NewPollSelector()
	m.selectors["EpollSelector"], errs[2] = selectors.NewEpollSelector()
	return m, errors.Join(errs[:]...)
}

func (m *machine) end(t testing.TB) {
	errs := []error{m.epoll.Close()}
	for _, sel := range m.selectors {
		errs = append(errs, sel.Close())
	}
	for _, s := range m.sockets {
		errs = append(errs, s.Close())
	}
	for n, file := range m.files {
		if file != 0 {
			errs = append(errs, unix.Close(n))
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) do(s step) answer {
	m.old, m.left, m.rebuilt, m.returned = nil, nil, false, false
	switch owner := s.owner(); owner {
	case "":
		if s.op == "select" {
			return m.doSelect(s)
		}
		return answer{"ok", m.descriptor(s)}
	case "socket":
		return m.doSocket(s)
	case "poll":
		return m.doPoll(s)
	case "epoll":
		return m.doEpoll(s)
	case "EpollSelector":
		a := m.doSelector(s, m.selectors[owner])
		m.follow(s, a.err)
		return a
	default:
		return m.doSelector(s, m.selectors[owner])
	}
}

// operand returns what the text stands for in a call of a method of self.
func (m *machine) operand(text string, self any) any {
	number := func(prefix string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(text, prefix))
		if err != nil {
			panic(err)
		}
		return n
	}
	switch {
	case text == "self":
		return self
	case text == "unwaitable":
		return unwaitable{}
	case strings.HasPrefix(text, "alias"):
		return &object{text, number("alias"), false}
	case strings.HasPrefix(text, "old"):
		return m.previous[number("old")]
	case strings.HasPrefix(text, "o"):
		return m.current[number("o")]
	}
	return number("")
}

func name(fileobj any) string {
	if o, ok := fileobj.(*object); ok {
		return o.name
	}
	return fmt.Sprint(fileobj)
}

// place gives a new descriptor the number n.
func (m *machine) place(fd, n, file int) error {
	if err := unix.Dup3(fd, n, unix.O_CLOEXEC); err != nil {
		return err
	}
	unix.Close(fd)
	return m.own(n, file)
}

func (m *machine) own(n, file int) error {
	m.count[n]++
	m.previous[n] = m.current[n]
	m.current[n] = &object{fmt.Sprintf("o%d.%d", n, m.count[n]), n, false}
	m.files[n] = file
	return unix.SetNonblock(n, true)
}

func (m *machine) newFile() int {
	m.last++
	return m.last
}

// duplicate returns a number that stands for an open file, or 0 if there is none.
func (m *machine) duplicate(file int) int {
	for n := firstNumber; n < firstNumber+numbers; n++ {
		if m.files[n] == file {
			return n
		}
	}
	return 0
}

// payload is what an eventfd takes too.
func payload(size int) []byte {
	return slices.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, size/8)
}

// descriptor runs a step that uses none of the objects.
func (m *machine) descriptor(s step) error {
	n := s.int(0)
	open := func(fd int, err error) error {
		if err != nil {
			return err
		}
		return m.place(fd, n, m.newFile())
	}
	pair := func(p [2]int, err error) error {
		if err != nil {
			return err
		}
		if err := m.place(p[0], n, m.newFile()); err != nil {
			return err
		}
		return m.place(p[1], s.int(1), m.newFile())
	}
	closed := func() error {
		m.files[n] = 0
		return unix.Close(n)
	}
	switch s.op {
	case "pipe":
		var p [2]int
		err := unix.Pipe(p[:])
		return pair(p, err)
	case "socketpair":
		return pair(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	case "file":
		return open(unix.MemfdCreate("file", 0))
	case "null":
		return open(unix.Open("/dev/null", unix.O_RDWR, 0))
	case "directory":
		return open(unix.Open("/", unix.O_RDONLY, 0))
	case "eventfd":
		return open(unix.Eventfd(0, 0))
	case "dup":
		if err := unix.Dup3(n, s.int(1), unix.O_CLOEXEC); err != nil {
			return err
		}
		return m.own(s.int(1), m.files[n])
	case "close":
		m.current[n].closed = true
		return closed()
	case "closefd":
		return closed()
	case "write":
		_, err := unix.Write(n, payload(8))
		return err
	case "oob":
		_, err := unix.SendmsgN(n, []byte("!"), nil, nil, unix.MSG_OOB)
		return err
	case "drain":
		return drain(n)
	case "fill":
		return fill(n)
	case "shutdown":
		return unix.Shutdown(n, s.int(1))
	}
	panic("no such step: " + s.op)
}

func drain(fd int) error {
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil && err != unix.EAGAIN {
			return err
		}
		if n <= 0 {
			return nil
		}
	}
}

// fill writes until nothing fits any more; a regular file gets a bit only.
func fill(fd int) error {
	size := 1 << 16
	for range 64 {
		_, err := unix.Write(fd, payload(size))
		if err == unix.EAGAIN {
			size /= 2
			if size < 8 {
				break
			}
		} else if err != nil {
			return err
		}
	}
	return nil
}

func microseconds(n int) time.Duration { return time.Duration(n) * time.Microsecond }

func (m *machine) doSelect(s step) answer {
	var lists [3][]any
	for i := range lists {
		for _, o := range strings.Split(s.args[i][len("r="):], ",") {
			if o != "" {
				lists[i] = append(lists[i], m.operand(o, nil))
			}
		}
	}
	r, w, x, err := pyselect.Select(lists[0], lists[1], lists[2], microseconds(s.int(3)))
	return answer{"r=" + names(r) + " w=" + names(w) + " x=" + names(x), err}
}

func names(objects []any) string {
	var list []string
	for _, o := range objects {
		list = append(list, name(o))
	}
	return strings.Join(list, ",")
}

func (m *machine) doPoll(s step) answer {
	switch s.method() {
	case "register":
		return answer{"ok", m.poll.Register(m.operand(s.args[0], m.poll), pyselect.PollMask(s.int(1)))}
	case "modify":
		return answer{"ok", m.poll.Modify(m.operand(s.args[0], m.poll), pyselect.PollMask(s.int(1)))}
	case "unregister":
		return answer{"ok", m.poll.Unregister(m.operand(s.args[0], m.poll))}
	}
	events, err := m.poll.Poll(microseconds(s.int(0)))
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%d:%#x", e.Fd, int(e.Events)))
	}
	return answer{strings.Join(list, " "), err}
}

func (m *machine) doEpoll(s step) answer {
	switch s.method() {
	case "register":
		return answer{"ok", m.epoll.Register(m.operand(s.args[0], m.epoll), pyselect.EpollMask(s.int(1)))}
	case "modify":
		return answer{"ok", m.epoll.Modify(m.operand(s.args[0], m.epoll), pyselect.EpollMask(s.int(1)))}
	case "unregister":
		return answer{"ok", m.epoll.Unregister(m.operand(s.args[0], m.epoll))}
	case "close":
		m.closed["epoll"] = true
		return answer{"ok", m.epoll.Close()}
	case "closed":
		return answer{strconv.FormatBool(m.epoll.Closed()), nil}
	case "fileno":
		_, err := m.epoll.Fileno()
		return answer{"ok", err}
	}
	events, err := m.epoll.Poll(microseconds(s.int(0)), s.int(1))
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%d:%#x", e.Fd, int(e.Events)))
	}
	slices.Sort(list)
	return answer{strings.Join(list, " "), err}
}

func (m *machine) doSelector(s step, sel selectors.BaseSelector) answer {
	switch s.method() {
	case "select":
		ready, err := sel.Select(microseconds(s.int(0)))
		var list []string
		for _, r := range ready {
			list = append(list, fmt.Sprintf("%s=%d", show(r.Key), r.Events))
		}
		if s.owner() != "PollSelector" {
			slices.Sort(list)
		}
		return answer{strings.Join(list, " "), err}
	case "close":
		m.closed[s.owner()] = true
		return answer{"ok", sel.Close()}
	case "fileno":
		_, err := sel.(*selectors.EpollSelector).Fileno()
		return answer{"ok", err}
	case "keys":
		var list []string
		for key := range sel.Keys() {
			list = append(list, show(key))
		}
		if len(list) != sel.Len() {
			return answer{"", fmt.Errorf("Len is %d, there are %d keys", sel.Len(), len(list))}
		}
		return answer{strings.Join(list, " "), nil}
	}
	operand := m.operand(s.args[0], sel)
	m.old, _ = sel.Key(operand)
	var key *selectors.SelectorKey
	var err error
	switch s.method() {
	case "get_key":
		key, err = sel.Key(operand)
	case "register":
		key, err = sel.Register(operand, selectors.Event(s.int(1)), s.int(2))
	case "modify":
		key, err = sel.Modify(operand, selectors.Event(s.int(1)), s.int(2))
	case "unregister":
		key, err = sel.Unregister(operand)
	}
	if err != nil {
		return answer{"", err}
	}
	return answer{show(key), nil}
}

func show(key *selectors.SelectorKey) string {
	return fmt.Sprintf("%s/%d/%d/%v", name(key.Fileobj), key.Fd, key.Events, key.Data)
}
