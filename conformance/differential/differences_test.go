//go:build linux

package differential

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// kinds are the exceptions that peer.py tells apart, besides errno9 and so on.
var kinds = map[string]error{
	"invalid":       os.ErrInvalid,
	"closed":        os.ErrClosed,
	"notWaitable":   pyselect.ErrNotWaitable,
	"registered":    selectors.ErrRegistered,
	"notRegistered": selectors.ErrNotRegistered,
	"timeout":       os.ErrDeadlineExceeded,
}

// errorKind returns the error that stands for a kind of exception, or nil if none does.
func errorKind(kind string) error {
	if number, isErrno := strings.CutPrefix(kind, "errno"); isErrno {
		n, _ := strconv.Atoi(number)
		return unix.Errno(n)
	}
	return kinds[kind]
}

// A comparison is a step, Python's answer and this module's.
type comparison struct {
	*machine
	step step
	want string
	got  answer
}

func (c *comparison) agree() bool {
	if kind, failed := strings.CutPrefix(c.want, "!"); failed {
		want := errorKind(kind)
		return want != nil && errors.Is(c.got.err, want)
	}
	return c.got.err == nil && c.got.text == c.want
}

func (c *comparison) gotIs(err error) bool { return errors.Is(c.got.err, err) }

// is reports whether the step is a method of a selector: of the one with this name, or of any for "".
func (c *comparison) is(selector, method string) bool {
	owner := c.step.owner()
	return c.selectors[owner] != nil && (selector == "" || selector == owner) && c.step.method() == method
}

// selects reports whether the step is a select of this number, by itself or with a SelectSelector.
func (c *comparison) selects(number int) bool {
	if c.step.op == "select" {
		return slices.ContainsFunc(c.step.args[:3], func(list string) bool {
			return slices.Contains(strings.Split(list[len("r="):], ","), strconv.Itoa(number))
		})
	}
	if !c.is("SelectSelector", "select") {
		return false
	}
	_, err := c.selectors["SelectSelector"].Key(number)
	return err == nil
}

func (c *comparison) badEvents() bool {
	events := c.step.int(1)
	return events < 1 || events > 3
}

// rewrite lets Python have the events and the data in the key of the step's operand, in its old place.
func (c *comparison) rewrite(events selectors.Event, data any) []string {
	return []string{fmt.Sprintf("rewrite %s %d %d %v", c.step.owner(), c.old.Fd, events, data)}
}

// A difference is an intended one between CPython and this module.
type difference struct {
	name, reason string
	example      string // a program that shows it
	applies      func(*comparison) bool
	repair       func(*comparison) []string // what lets Python have the same state again, if that differs now
	ends         bool                       // the program: the state cannot be repaired
}

// The first that applies counts. Some do where the answers agree, but the state is not the same any more.
var differences = []difference{
	{
		name:   "after close",
		reason: "CPython's SelectSelector and PollSelector work on, others look at their arguments first, get_map is None",
		example: `
			SelectSelector.close
			SelectSelector.register 200 1 0
		`,
		applies: func(c *comparison) bool {
			if !c.closed[c.step.owner()] || c.agree() {
				return false
			}
			if c.is("", "keys") {
				return c.got == answer{}
			}
			return c.gotIs(os.ErrClosed)
		},
	},
	{
		name:   "FD_SETSIZE",
		reason: "CPython's select refuses descriptors from 1024 on, which are as good as any here; this one is not open",
		example: `
			select r=1100 w= x= 0
		`,
		applies: func(c *comparison) bool {
			return c.want == "!FD_SETSIZE" && c.selects(tooLarge) && c.got.err != nil
		},
	},
	{
		name: "never opened",
		reason: "select on Linux reports a descriptor beyond the process's table as ready; here it is EBADF, as any other that " +
			"is not open",
		example: `
			select r=1000 w= x= 0
		`,
		applies: func(c *comparison) bool {
			return c.selects(beyond) && c.gotIs(unix.EBADF) && !strings.HasPrefix(c.want, "!")
		},
	},
	{
		name:   "modify looks at the events first",
		reason: "Modify validates like Register; CPython's looks the object up first",
		example: `
			PollSelector.modify 200 8 0
		`,
		applies: func(c *comparison) bool {
			return c.is("", "modify") && c.badEvents() && c.old == nil && c.gotIs(os.ErrInvalid) && strings.HasPrefix(c.want, "!")
		},
	},
	{
		name: "bad modify",
		reason: "CPython's PollSelector and EpollSelector store events that are none, its SelectSelector loses the key; " +
			"here nothing changes",
		example: `
			pipe 200 201
			PollSelector.register 201 2 0
			PollSelector.modify 201 8 0
			PollSelector.select 0
		`,
		applies: func(c *comparison) bool {
			return c.is("", "modify") && c.badEvents() && c.old != nil && c.gotIs(os.ErrInvalid)
		},
		repair: func(c *comparison) []string { return c.rewrite(c.old.Events, c.old.Data) },
	},
	{
		name: "SelectSelector.modify",
		reason: "is unregister and register in CPython: the key moves to the end, gets the object that was passed, and is lost if " +
			"that is closed; here it is as in the other selectors",
		example: `
			socketpair 200 201
			SelectSelector.register 200 1 0
			SelectSelector.register 201 1 0
			SelectSelector.modify alias200 2 0
			SelectSelector.select 0
		`,
		applies: func(c *comparison) bool {
			if !c.is("SelectSelector", "modify") || c.old == nil || c.got.err != nil || int(c.old.Events) == c.step.int(1) {
				return false
			}
			if o, ok := c.old.Fileobj.(*object); ok && o.closed && c.want == "!closed" {
				return true
			}
			_, got, _ := strings.Cut(c.got.text, "/")
			_, want, _ := strings.Cut(c.want, "/")
			return got == want
		},
		repair: func(c *comparison) []string { return c.rewrite(selectors.Event(c.step.int(1)), c.step.int(2)) },
	},
	{
		name: "ghost that is back",
		reason: "the kernel changes it instead of the descriptor that was registered last under its number; CPython, which would " +
			"do so too, was relieved of it here",
		example: `
			socketpair 200 201
			dup 200 202
			EpollSelector.register 200 1 0
			closefd 200
			EpollSelector.unregister 200
			eventfd 200
			EpollSelector.register 200 1 0
			dup 202 200
			EpollSelector.modify 200 2 0
		`,
		applies: func(c *comparison) bool {
			return c.returned && (c.is("EpollSelector", "modify") || c.rebuilt)
		},
		ends: true,
	},
	{
		name:   "ghost",
		reason: "in CPython, a descriptor that is closed, but has a duplicate, stays in the epoll when it is unregistered",
		example: `
			socketpair 200 201
			dup 200 202
			EpollSelector.register 200 1 0
			closefd 200
			EpollSelector.unregister 200
			dup 202 200
			EpollSelector.register 200 2 0
		`,
		applies: func(c *comparison) bool {
			return c.step.owner() == "EpollSelector" && c.left != nil && c.agree()
		},
		repair: func(c *comparison) []string {
			return []string{fmt.Sprintf("exorcise %s %d %d", c.step.owner(), c.left.fd, c.duplicate(c.left.file))}
		},
	},
	{
		name: "rebuild",
		reason: "when a ghost shows, the kernel's set is rebuilt from the registry: a key whose number was closed has left it " +
			"then, whether it has a duplicate or not",
		example: `
			socketpair 200 201
			dup 200 202
			EpollSelector.register 200 2 0
			EpollSelector.register 201 2 0
			dup 201 203
			closefd 200
			closefd 201
			EpollSelector.unregister 200
			EpollSelector.select 0
			EpollSelector.select 0
		`,
		applies: func(c *comparison) bool {
			if !c.rebuilt || !c.is("EpollSelector", "select") || !c.haunted() || c.got.err != nil || strings.HasPrefix(c.want, "!") {
				return false
			}
			return c.withoutAstray(c.got.text) == c.withoutAstray(c.want)
		},
		repair: func(c *comparison) (lines []string) {
			for _, fd := range c.astray() {
				if d := c.duplicate(c.watched[fd]); d != 0 {
					lines = append(lines, fmt.Sprintf("exorcise EpollSelector %d %d", fd, d))
				}
				c.watched[fd] = 0
			}
			c.ghosts = nil
			return lines
		},
	},
	{
		name:   "error at once",
		reason: "with a timeout, CPython waits until the socket is ready before it asks the kernel, which may know that this is in vain",
		example: `
			socket.new 0 unix stream
			socket.bind 0
			socket.listen 0 1
			socket.send 0 1 0
		`,
		applies: func(c *comparison) bool {
			return c.step.owner() == "socket" && c.want == "!timeout" &&
				slices.ContainsFunc([]error{unix.ENOTCONN, unix.EINVAL, unix.EOPNOTSUPP, unix.EDESTADDRREQ, unix.EPIPE, unix.EISCONN}, c.gotIs)
		},
	},
	{
		name: "possible at once",
		reason: "with a timeout, CPython waits until the kernel says that there is much room, though there may be some already, or that there " +
			"is something to read, which urgent data is not",
		example: `
			socket.pair 0 1 stream
			socket.send 0 300000 0
			socket.recv 1 70000 0
			socket.send 0 300000 0
		`,
		applies: func(c *comparison) bool {
			urgent := c.step.op == "socket.recv" && c.step.int(2)&socket.MSG_OOB != 0 // is not what CPython waits for
			return (urgent || slices.Contains([]string{"socket.send", "socket.sendmsg", "socket.sendall"}, c.step.op)) &&
				c.want == "!timeout" && c.got.err == nil
		},
		ends: true,
	},
	{
		name: "urgent data",
		reason: "a receive that finds nothing but urgent data makes Linux drop that; CPython's with a timeout does not ask the kernel before " +
			"there is something else",
		example: `
			socket.new 0 inet stream
			socket.listen 0 1
			socket.new 1 inet stream
			socket.connect 1 0
			socket.accept 0 2
			socket.send 1 1 0x1
			socket.recv 2 1 0
			socket.settimeout 2 0
			socket.recv 2 1 0x1
		`,
		applies: func(c *comparison) bool {
			return c.step.op == "socket.recv" && c.step.int(2)&socket.MSG_OOB != 0 && c.gotIs(unix.EINVAL) && !strings.HasPrefix(c.want, "!")
		},
		ends: true,
	},
	{
		name:   "connect in progress",
		reason: "when the timeout of a connect is over, the next one waits for its end; CPython's is EALREADY",
		example: `
			socket.new 0 inet stream
			socket.bind 0
			socket.listen 0 0
			socket.new 1 inet stream
			socket.connect 1 0
			socket.new 2 inet stream
			socket.connect 2 0
			socket.connect 2 0
		`,
		applies: func(c *comparison) bool {
			return strings.HasPrefix(c.step.op, "socket.connect") && strings.HasSuffix(c.want, fmt.Sprint(int(unix.EALREADY))) && !c.agree()
		},
	},
	{
		name: "connect again",
		reason: "Linux says once more how a connect has ended if it took some time, as it does with CPython's timeout; " +
			"here that has been heard, and the next is EISCONN, as with a blocking socket of CPython",
		example: `
			socket.new 0 inet stream
			socket.bind 0
			socket.listen 0 1
			socket.new 1 inet stream
			socket.connect 1 0
			socket.connect 1 0
		`,
		applies: func(c *comparison) bool {
			return c.isConnected() && (c.want == "ok" || c.want == "0")
		},
	},
	{
		name:   "connect again, after a reset",
		reason: "in the same case, CPython's second connect takes the error of a connection that was reset, and gives up the connection",
		example: `
			socket.new 0 inet stream
			socket.listen 0 0
			socket.new 1 inet stream
			socket.connect 1 0
			socket.close 0
			socket.connect 1 1
		`,
		applies: func(c *comparison) bool { return c.isConnected() && !c.agree() },
		ends:    true,
	},
	{
		name:   "MSG_DONTWAIT, MSG_ERRQUEUE",
		reason: "with a timeout, CPython waits until the socket is ready all the same",
		example: `
			socket.pair 0 1 dgram
			socket.recv 0 1 0x2000
			socket.recv 0 1 0x40
		`,
		applies: func(c *comparison) bool {
			return (c.step.op == "socket.recv" || c.step.op == "socket.send") && c.want == "!timeout" && c.gotIs(socket.ErrWouldBlock) &&
				c.step.int(2)&(socket.MSG_DONTWAIT|socket.MSG_ERRQUEUE) != 0
		},
	},
	{
		name:   "datagram socket that was shut down",
		reason: "CPython's with a timeout asks the kernel again and again until the timeout is over; here nothing is received, at once",
		example: `
			socket.pair 0 1 dgram
			socket.shutdown 0 0
			socket.recv 0 1 0
		`,
		applies: func(c *comparison) bool {
			return strings.HasPrefix(c.step.op, "socket.recv") && c.want == "!timeout" && strings.HasPrefix(c.got.text, "0:")
		},
	},
	{
		name:   "backlog of a Unix socket",
		reason: "CPython's with a timeout does not wait when too many want to connect to a Unix socket",
		example: `
			socket.new 0 unix stream
			socket.bind 0
			socket.listen 0 0
			socket.new 1 unix stream
			socket.connect 1 0
			socket.new 2 unix stream
			socket.connect 2 0
		`,
		applies: func(c *comparison) bool {
			return c.step.op == "socket.connect" && c.want == "!errno11" && c.gotIs(os.ErrDeadlineExceeded)
		},
	},
}

// isConnected reports whether the step is a connect that is refused here because the socket is connected.
func (c *comparison) isConnected() bool {
	return strings.HasPrefix(c.step.op, "socket.connect") &&
		(c.gotIs(unix.EISCONN) || c.got.text == fmt.Sprint(int(unix.EISCONN)))
}

// withoutAstray returns a list of ready keys without those whose number stands for something else now.
func (c *comparison) withoutAstray(ready string) string {
	astray := c.astray()
	return strings.Join(slices.DeleteFunc(strings.Fields(ready), func(key string) bool {
		fd, err := strconv.Atoi(strings.Split(key, "/")[1])
		return err != nil || slices.Contains(astray, fd)
	}), " ")
}
