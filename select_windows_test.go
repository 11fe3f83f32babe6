package pyselect_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// selects calls Select and checks what is ready.
func selects[F comparable](t *testing.T, rlist, wlist, xlist []F, timeout time.Duration, wantR, wantW, wantX []F) {
	t.Helper()
	r, w, x, err := pyselect.Select(rlist, wlist, xlist, timeout)
	if err != nil || !slices.Equal(r, wantR) || !slices.Equal(w, wantW) || !slices.Equal(x, wantX) {
		t.Fatalf("got %v, %v, %v, %v, want %v, %v, %v", r, w, x, err, wantR, wantW, wantX)
	}
}

func TestSelectSockets(t *testing.T) {
	testkit.NoLeaks(t)
	a, x := testkit.Socketpair(t)
	b, _ := testkit.Socketpair(t)
	c, y := testkit.Socketpair(t)
	selects(t, []int{a, b, c}, nil, []int{a}, 0, nil, nil, nil)
	testkit.Write(t, x, "x")
	testkit.Write(t, y, "y")
	testkit.Fill(t, b)
	selects(t, []int{c, b, a, c, b}, []int{a, c, b, a}, []int{a, b, c}, pyselect.Forever, []int{c, a, c}, []int{a, c, a}, nil)
}

func TestSelectNetConns(t *testing.T) {
	testkit.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	selects(t, []any{client, l}, []any{client}, nil, pyselect.Forever, []any{l}, []any{client}, nil)
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	selects(t, []any{client, l, server}, nil, nil, 0, nil, nil, nil)
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	selects(t, []any{server, client}, nil, nil, pyselect.Forever, []any{client}, nil, nil)

	server.Close()
	if _, _, _, err := pyselect.Select([]any{client, server}, nil, nil, 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error is %v, want os.ErrClosed", err)
	}
}

func TestSelectWaits(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	call := testkit.Go(t, func() { selects(t, []int{a}, nil, []int{a}, pyselect.Forever, []int{a}, nil, nil) }).Blocked()
	testkit.Write(t, b, "x")
	call.Wait()

	for _, list := range [][]int{nil, {b}} {
		for _, timeout := range []time.Duration{0, 1, 100 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond} {
			for range 5 {
				testkit.Duration(t, timeout, func() { selects(t, list, nil, list, timeout, nil, nil, nil) })
			}
		}
	}
}

func TestSelectFailedConnect(t *testing.T) {
	testkit.NoLeaks(t)
	list := []int{testkit.Refused(t)}
	selects(t, nil, nil, list, pyselect.Forever, nil, nil, list)
}

func TestSelectUrgentData(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	const oob = 1 // MSG_OOB
	urgent, sent := byte('!'), uint32(0)
	if err := windows.WSASend(windows.Handle(b), &windows.WSABuf{Len: 1, Buf: &urgent}, 1, &sent, oob, nil, nil); err != nil {
		t.Fatal(err)
	}
	selects(t, nil, nil, []int{b, a}, pyselect.Forever, nil, nil, []int{a})
}

// More than the 64 that FD_SETSIZE is here, and than the 512 of Python.
func TestSelectManySockets(t *testing.T) {
	testkit.NoLeaks(t)
	const n = 2000
	idle, _ := testkit.Socketpair(t)
	ready, peer := testkit.Socketpair(t)
	testkit.Write(t, peer, "x")
	var list, want []int
	for i := range n {
		if i%500 == 250 {
			list = append(list, testkit.Dup(t, ready, 0))
			want = append(want, list[i])
		} else {
			list = append(list, testkit.Dup(t, idle, 0))
		}
	}
	for range 2 {
		selects(t, list, list, nil, pyselect.Forever, want, list, nil)
		slices.Reverse(list)
		slices.Reverse(want)
	}
}

// What is no socket, or no socket any more, is named. Wine has another error for a file at times.
func TestSelectNoSocket(t *testing.T) {
	testkit.NoLeaks(t)
	a, gone := testkit.Socketpair(t)
	testkit.Close(t, gone)
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, bad := range []any{file, gone, 0, 1 << 20, 1<<31 - 1} {
		fd, err := pyselect.Fileno(bad)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"rlist", "wlist", "xlist"} {
			lists := [3][]any{{a}, {a}, {a}}
			lists[i] = []any{a, bad}
			_, _, _, err := pyselect.Select(lists[0], lists[1], lists[2], pyselect.Forever)
			place := fmt.Sprintf("%s[1]: fd %d:", name, fd)
			if !errors.As(err, new(*pyselect.OpError)) || !strings.Contains(err.Error(), place) {
				t.Errorf("error is %v, want %q in it", err, place)
			}
			if bad != any(file) && !errors.Is(err, windows.WSAENOTSOCK) {
				t.Errorf("error is %v, want %v", err, windows.WSAENOTSOCK)
			}
		}
	}
	file.Close()
	if _, err := pyselect.Fileno(file); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error of a closed file is %v, want os.ErrClosed", err)
	}
	for _, bad := range []windows.Handle{windows.InvalidHandle, windows.CurrentProcess()} {
		if _, err := pyselect.Fileno(bad); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("error is %v, want os.ErrInvalid", err)
		}
	}
}

func TestSelectAllocations(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	testkit.Write(t, b, "x")
	for want, list := range [][]int{{b}, {b, a}} {
		got := testing.AllocsPerRun(50, func() { pyselect.Select(list, nil, list, 10*time.Microsecond) })
		if got != float64(want) {
			t.Errorf("%v allocations, want %v", got, want)
		}
	}
}
