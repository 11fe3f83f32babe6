package sys_test

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

// Strangers who connect first are turned away.
func TestSocketpairAmongStrangers(t *testing.T) {
	testkit.Check(t, sys.StartWinsock())
	var strangers []net.Conn
	client, server, err := sys.PairAfter(func(port int) {
		for range 3 {
			stranger, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			testkit.Check(t, err)
			strangers = append(strangers, stranger)
		}
		testkit.Check(t, strangers[0].Close())
	})
	testkit.Check(t, err)
	defer windows.Closesocket(client)
	defer windows.Closesocket(server)
	name, err := windows.Getsockname(client)
	testkit.Check(t, err)
	peer, err := windows.Getpeername(server)
	testkit.Check(t, err)
	name4, peer4 := name.(*windows.SockaddrInet4), peer.(*windows.SockaddrInet4)
	if name4.Port != peer4.Port || name4.Addr != peer4.Addr {
		t.Errorf("connected to %+v, want %+v", peer4, name4)
	}
	for _, stranger := range strangers[1:] {
		if n, err := stranger.Read(make([]byte, 1)); err == nil {
			t.Errorf("a stranger has read %d bytes", n)
		}
		stranger.Close()
	}
}
