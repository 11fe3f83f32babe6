//go:build unix || windows

package socket_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestIdentity(t *testing.T) {
	testkit.NoLeaks(t)
	client, server := networks[0].connect(t)
	udp := own(t, must[*socket.Socket](t)(socket.New(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)))
	a, _ := pair(t)
	for _, test := range []struct {
		s                  *socket.Socket
		family, typ, proto int
	}{
		{client, socket.AF_INET, socket.SOCK_STREAM, 0},
		{server, socket.AF_INET, socket.SOCK_STREAM, 0},
		{udp, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP},
		{a, pairFamily, socket.SOCK_STREAM, 0},
	} {
		if s := test.s; s.Family() != test.family || s.Type() != test.typ || s.Proto() != test.proto {
			t.Errorf("%v: want %+v", s, test)
		}
		d := duplicate(t, fileno(t, test.s))
		if d.Family() != test.family || d.Type() != test.typ {
			t.Errorf("of the descriptor of %v: %v", test.s, d)
		}
	}
	check(t, udp.Close())
	if udp.Family() != socket.AF_INET {
		t.Error("a closed socket has no family")
	}
}

func TestString(t *testing.T) {
	testkit.NoLeaks(t)
	client, server := networks[0].connect(t)
	want := fmt.Sprintf("<socket.Socket fd=%d, family=%d, type=%d, proto=0, laddr=%v, raddr=%v>",
		fileno(t, client), socket.AF_INET, socket.SOCK_STREAM, sockname(t, client), sockname(t, server))
	if got := fmt.Sprint(client); got != want {
		t.Errorf("a client is %s, want %s", got, want)
	}
	fresh := newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
	if got := fresh.String(); !regexp.MustCompile(`^<socket\.Socket fd=\d+, family=2, type=\d, proto=0(, laddr=0\.0\.0\.0:0)?>$`).MatchString(got) {
		t.Errorf("a fresh socket is %s", got)
	}
	a, _ := pair(t)
	want = fmt.Sprintf("<socket.Socket fd=%d, family=1, type=%d, proto=0>", fileno(t, a), socket.SOCK_STREAM)
	if got := a.String(); got != want && pairFamily == socket.AF_UNIX {
		t.Errorf("one of a pair is %s, want %s", got, want)
	}
	check(t, fresh.Close())
	const closed = "<socket.Socket [closed] fd=-1, family=2, type=2, proto=0>"
	if got := fresh.String(); got != closed && socket.SOCK_DGRAM == 2 {
		t.Errorf("a closed socket is %s, want %s", got, closed)
	}
}

func TestGetsockoptBytes(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	check(t, s.SetLinger(true, 5))
	value := must[[]byte](t)(s.GetsockoptBytes(socket.SOL_SOCKET, socket.SO_LINGER, 32))
	if !slices.Contains([]int{4, 8, 32}, len(value)) || !slices.Contains(value, 5) && runtime.GOOS != "darwin" { // which counts otherwise
		t.Errorf("SO_LINGER of 5 s is %v", value)
	}
	check(t, s.SetsockoptBytes(socket.SOL_SOCKET, socket.SO_LINGER, make([]byte, min(8, len(value)))))
	if value, err := s.GetsockoptBytes(socket.SOL_SOCKET, socket.SO_TYPE, 1); len(value) != 1 && !(runtime.GOOS == "windows" && err != nil) {
		t.Errorf("one byte of SO_TYPE is %v, %v", value, err)
	}
	for _, length := range []int{-1, 1025} {
		_, err := s.GetsockoptBytes(socket.SOL_SOCKET, socket.SO_TYPE, length)
		wantError(t, err, os.ErrInvalid, "socket.getsockopt", fmt.Sprint(length))
	}
	_, err := s.GetsockoptBytes(socket.SOL_SOCKET, -1, 10)
	wantError(t, err, eNoProtoOpt, "socket.getsockopt")
	check(t, s.Close())
	_, err = s.GetsockoptBytes(socket.SOL_SOCKET, socket.SO_TYPE, -1)
	wantError(t, err, os.ErrClosed)
}
