//go:build unix || windows

package docs

import (
	"fmt"
	"os"
	"slices"

	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func Example_mixedList() {
	withPair(func(_ *selectors.DefaultSelector, server, conn *socket.Socket) {
		fd := 7
		inputs := []any{server, os.Stdin, conn, fd}
		fmt.Println(inputs[0] == server, inputs[1] == os.Stdin, inputs[3] == fd, inputs[2] == server)
		fmt.Println(slices.Contains(inputs, any(conn)))
		inputs = slices.DeleteFunc(inputs, func(x any) bool { return x == conn })
		fmt.Println(slices.Contains(inputs, any(conn)), len(inputs))
		number, ok := inputs[2].(int)
		fmt.Println(number, ok)
	})
	// Output:
	// true true true false
	// true
	// false 3
	// 7 true
}

func Example_functionsDoNotCompare() {
	defer func() { fmt.Println(recover()) }()
	f := func() {}
	fmt.Println(any(f) == any(f))
	// Output: runtime error: comparing uncomparable type func()
}

// A Callback is a function that can be found again.
type Callback struct{ Call func(events selectors.Event) }

func runCallbacks(callbacks map[int][]*Callback, fd int, events selectors.Event) {
	for _, c := range slices.Clone(callbacks[fd]) { // a callback may remove itself
		c.Call(events)
	}
}

func Example_callbacks() {
	callbacks := make(map[int][]*Callback)
	remove := func(fd int, callback *Callback) {
		callbacks[fd] = slices.DeleteFunc(callbacks[fd], func(c *Callback) bool { return c == callback })
	}
	once := new(Callback)
	once.Call = func(selectors.Event) {
		fmt.Println("once")
		remove(7, once)
	}
	callbacks[7] = append(callbacks[7], once, &Callback{func(events selectors.Event) { fmt.Println(events) }})
	runCallbacks(callbacks, 7, selectors.EventRead)
	runCallbacks(callbacks, 7, selectors.EventWrite)
	// Output:
	// once
	// EventRead
	// EventWrite
}
