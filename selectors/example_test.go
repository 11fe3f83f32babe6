//go:build unix

package selectors_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
)

func Example() {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	defer sel.Close()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	defer w.Close()

	sel.Register(r, selectors.EventRead, "the reading end")
	w.WriteString("hello")
	ready, err := sel.Select(pyselect.Forever)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range ready {
		fmt.Println(r.Key.Data, "has", r.Events)
	}
	// Output: the reading end has EventRead
}

// The data of a key is often the function to call.
func ExampleEvents() {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	defer sel.Close()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	type callback = func(*selectors.SelectorKey)
	sel.Register(r, selectors.EventRead, callback(func(key *selectors.SelectorKey) {
		buf := make([]byte, 100)
		n, _ := r.Read(buf)
		if n == 0 {
			fmt.Println("end")
			sel.Close()
			return
		}
		fmt.Printf("%s\n", buf[:n])
	}))
	sel.Register(w, selectors.EventWrite, callback(func(key *selectors.SelectorKey) {
		w.WriteString("hello")
		sel.Unregister(w)
		w.Close()
	}))
	for ready, err := range selectors.Events(context.Background(), sel) {
		if err != nil {
			log.Fatal(err)
		}
		ready.Key.Data.(callback)(ready.Key)
	}
	// Output:
	// hello
	// end
}

// Another goroutine hands work to the one that runs the loop, as Python programs do with a pipe.
func ExampleDefaultSelector_Wakeup() {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	defer sel.Close()

	work := make(chan string, 1)
	go func() {
		work <- "something to do"
		sel.Wakeup()
	}()
	for {
		if _, err := sel.Select(time.Hour); err != nil {
			log.Fatal(err)
		}
		select {
		case w := <-work:
			fmt.Println(w)
			return
		default:
		}
	}
	// Output: something to do
}
