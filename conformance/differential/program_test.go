//go:build linux

package differential

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Descriptors have the same numbers on both sides.
const (
	firstNumber = 200 // of those that programs open
	numbers     = 4
	unused      = 210  // never open, but where the kernel has a place for it once that of a neighbour is open
	beyond      = 1000 // never open, beyond the kernel's table
	tooLarge    = 1100 // never open, and not below FD_SETSIZE
)

// A step is one line of a program, in the language that peer.py understands:
//
//	pipe 200 201                      the ends get these numbers; what had them is closed
//	close o200                        see machine.descriptor for the others of this kind
//	select r=200,o201 w= x=old203 0   three lists and the timeout in microseconds
//	poll.register alias200 0x1        a method of one of the objects of the machine
//
// An operand is a number, or a file object: o200 is the current owner of the number, old200 the one before, alias200 another
// one with this number.
type step struct {
	op   string
	args []string
}

func (s step) String() string { return strings.Join(append([]string{s.op}, s.args...), " ") }

// parse returns the steps of the lines of a text.
func parse(text string) (program []step) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 {
			program = append(program, step{fields[0], fields[1:]})
		}
	}
	return program
}

// owner returns what the step is a method of, or "".
func (s step) owner() string {
	owner, _, isMethod := strings.Cut(s.op, ".")
	if !isMethod {
		return ""
	}
	return owner
}

func (s step) method() string { return s.op[strings.IndexByte(s.op, '.')+1:] }

func (s step) int(i int) int {
	n, err := strconv.ParseInt(s.args[i], 0, 64)
	if err != nil {
		panic(fmt.Sprintf("%v: %v", s, err))
	}
	return int(n)
}

// A choice returns a number from 0 to n-1. A program is made of such choices.
type choice func(n int) int

func pick[T any](next choice, from ...T) T { return from[next(len(from))] }

// program returns one that opens the numbers first and then is mostly about one of the objects. It ends when more returns
// false.
func (next choice) program(more func(length int) bool) (program []step) {
	for n := range numbers {
		number, other := strconv.Itoa(firstNumber+n), strconv.Itoa(firstNumber+(n+1)%numbers)
		switch op := pick(next, "pipe", "socketpair", "socketpair", "eventfd", "file", "dup"); op {
		case "pipe", "socketpair", "dup":
			program = append(program, step{op, []string{number, other}})
		default:
			program = append(program, step{op, []string{number}})
		}
	}
	focus := next.owner()
	for more(len(program)) {
		switch n := next(32); {
		case n < 10:
			program = append(program, next.descriptor())
		case n < 15:
			program = append(program, next.method(next.owner()))
		case n < 16:
			program = append(program, next.ghost()...)
		default:
			program = append(program, next.method(focus))
		}
	}
	return program
}

// ghost unregisters a descriptor that was closed, but has a duplicate, which is rare by mere chance.
func (next choice) ghost() []step {
	number, other := next.pair()
	return []step{
		{"dup", []string{number, other}},
		{"EpollSelector.register", []string{number, pick(next, "1", "2", "3"), "0"}},
		{pick(next, "closefd", "eventfd"), []string{number}},
		{"EpollSelector.unregister", []string{number}},
	}
}

func (next choice) owner() string {
	return pick(next, "EpollSelector", "EpollSelector", "PollSelector", "SelectSelector", "epoll", "poll", "")
}

func (next choice) method(owner string) step {
	switch owner {
	case "":
		return step{"select", []string{"r=" + next.list(), "w=" + next.list(), "x=" + next.list(), next.timeout("-1")}}
	case "poll":
		return next.poll()
	case "epoll":
		return next.epoll()
	}
	return next.selector(owner)
}

func (next choice) descriptor() step {
	number, other := next.pair()
	switch op := pick(next, "pipe", "pipe", "socketpair", "socketpair", "eventfd", "file", pick(next, "null", "directory"),
		"dup", "dup", "dup", "close", "closefd", "write", "write", "write", "drain", "fill", "oob", "shutdown"); op {
	case "pipe", "socketpair", "dup":
		return step{op, []string{number, other}}
	case "shutdown":
		return step{op, []string{number, pick(next, "0", "1", "2")}}
	default:
		return step{op, []string{number}}
	}
}

// pair returns two different numbers.
func (next choice) pair() (number, other string) {
	n := next(numbers)
	return strconv.Itoa(firstNumber + n), strconv.Itoa(firstNumber + (n+1+next(numbers-1))%numbers)
}

func (next choice) poll() step {
	mask := func() string {
		return pick(next, "0x0", "0x1", "0x2", "0x4", "0x5", "0x7", "0x2001", "0x2", "0xffff")
	}
	switch method := pick(next, "register", "register", "modify", "unregister", "poll", "poll"); method {
	case "register", "modify":
		return step{"poll." + method, []string{next.operand(), mask()}}
	case "unregister":
		return step{"poll." + method, []string{next.operand()}}
	default:
		return step{"poll." + method, []string{next.timeout()}}
	}
}

func (next choice) epoll() step {
	mask := func() string {
		return pick(next, "0x0", "0x1", "0x4", "0x5", "0x7", "0x2001", "0xffff",
			"0x80000005", "0x40000005", "0xc0000001", "0x10000001", "0x50000001")
	}
	switch n := next(32); {
	case n == 0 && next(4) == 0:
		return step{op: "epoll.close"}
	case n < 2:
		return step{op: pick(next, "epoll.closed", "epoll.fileno")}
	case n < 11:
		return step{"epoll.register", []string{next.operand(), mask()}}
	case n < 16:
		return step{"epoll.modify", []string{next.operand(), mask()}}
	case n < 20:
		return step{"epoll.unregister", []string{next.operand()}}
	default:
		return step{"epoll.poll", []string{next.timeout(), pick(next, "-1", "-1", "1000", "2", "1", "0", "-2")}}
	}
}

func (next choice) selector(kind string) step {
	events := func() string {
		if next(12) == 0 {
			return pick(next, "0", "8", "7", "255")
		}
		return pick(next, "1", "2", "3")
	}
	data := func() string { return pick(next, "0", "1") }
	kind += "."
	switch n := next(64); {
	case n == 0 && next(4) == 0:
		return step{op: kind + "close"}
	case n == 1 && kind == "EpollSelector.":
		return step{op: kind + "fileno"}
	case n < 5:
		return step{op: kind + "keys"}
	case n < 10:
		return step{kind + "get_key", []string{next.operand()}}
	case n < 24:
		return step{kind + "register", []string{next.operand(), events(), data()}}
	case n < 34:
		return step{kind + "modify", []string{next.operand(), events(), data()}}
	case n < 44:
		return step{kind + "unregister", []string{next.operand()}}
	default:
		return step{kind + "select", []string{next.timeout("-1")}}
	}
}

// timeout returns none, a short one, or one of others.
func (next choice) timeout(others ...string) string {
	if n := next(20); n < 2 {
		return "100"
	} else if n < 4 && len(others) > 0 {
		return pick(next, others...)
	}
	return "0"
}

func (next choice) list() string {
	var list []string
	for range pick(next, 0, 1, 1, 2, 3) {
		// No select has a descriptor of its own.
		if o := next.operand(); o != "self" {
			list = append(list, o)
		}
	}
	return strings.Join(list, ",")
}

func (next choice) operand() string {
	number := strconv.Itoa(firstNumber + next(numbers))
	switch n := next(64); {
	case n < 28:
		return number
	case n < 50:
		return "o" + number
	case n < 54:
		return "alias" + number
	case n < 58:
		return "old" + number
	}
	return pick(next, strconv.Itoa(unused), strconv.Itoa(beyond), strconv.Itoa(tooLarge), "-1", "unwaitable", "self")
}

// A generator makes a program of choices. It ends when more returns false.
type generator func(next choice, more func(length int) bool) []step

// random returns the program of a seed.
func (g generator) random(seed uint64) []step {
	const length = 60
	return g(rand.New(rand.NewPCG(seed, 0)).IntN, func(n int) bool { return n < length })
}

// fromBytes returns the program of the fuzzer's data. Every string of bytes stands for one.
func (g generator) fromBytes(data []byte) []step {
	const longest = 100
	next := func(n int) int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b) % n
	}
	return g(next, func(n int) bool { return len(data) > 0 && n < longest })
}
