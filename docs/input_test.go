//go:build unix || windows

package docs

import (
	"fmt"
	"io"
	"strings"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/socket"
)

// input returns a socket that receives what r has.
func input(r io.Reader) (*socket.Socket, error) {
	in, feed, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	go func() {
		defer feed.Close()
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			if n > 0 && feed.Sendall(buf[:n]) != nil || err != nil {
				return
			}
		}
	}()
	return in, nil
}

func Example_input() {
	in, err := input(strings.NewReader("what was typed\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer in.Close()
	buf := make([]byte, 100)
	for n := 1; n > 0; {
		if _, _, _, err = pyselect.Select([]*socket.Socket{in}, nil, nil, pyselect.Forever); err == nil {
			n, err = in.Recv(buf)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(string(buf[:n]))
	}
	// Output: what was typed
}
