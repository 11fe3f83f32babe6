//go:build unix

package socket_test

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pyselect/pyselect/socket"
)

// One end of a pipe goes to another process, or here to the other end of a pair.
func ExampleSocket_Sendmsg() {
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	rights := socket.Rights(int(r.Fd()))
	if _, err := a.Sendmsg([][]byte{[]byte("a pipe")}, []socket.ControlMessage{rights}, nil); err != nil {
		log.Fatal(err)
	}
	r.Close()

	buf := make([]byte, 100)
	n, ancdata, _, _, err := b.Recvmsg([][]byte{buf}, socket.CMSG_SPACE(4))
	if err != nil {
		log.Fatal(err)
	}
	received := os.NewFile(uintptr(ancdata[0].Fds()[0]), string(buf[:n]))
	defer received.Close()
	io.WriteString(w, "spam")
	w.Close()
	data, err := io.ReadAll(received)
	fmt.Printf("%s: %q %v\n", received.Name(), data, err)
	// Output: a pipe: "spam" <nil>
}
