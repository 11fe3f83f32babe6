//go:build unix

package pyselect_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// selectFrom checks what Select returns for three sockets of which all are writable, and a and c are readable.
func selectFrom[F comparable](t *testing.T, a, b, c F) {
	t.Helper()
	rlist, wlist, xlist := []F{c, b, a, c, b}, []F{a, c, b}, []F{a, b, c}
	lists := [][]F{slices.Clone(rlist), slices.Clone(wlist), slices.Clone(xlist)}
	r, w, x, err := pyselect.Select(rlist, wlist, xlist, pyselect.Forever)
	check(t, err)
	testkit.Equal(t, "readable", r, c, a, c)
	testkit.Equal(t, "writable", w, a, c, b)
	testkit.Equal(t, "exceptional", x)

	r[0], w[0] = b, b // the result is a slice of its own
	testkit.Equal(t, "rlist", rlist, lists[0]...)
	testkit.Equal(t, "wlist", wlist, lists[1]...)
	testkit.Equal(t, "xlist", xlist, lists[2]...)

	r, w, x, err = pyselect.Select([]F{b, b}, nil, []F{a}, 0)
	check(t, err)
	if r != nil || w != nil || x != nil {
		t.Errorf("nothing is ready: got %v, %v, %v, want nil slices", r, w, x)
	}
}

func TestSelectObjects(t *testing.T) {
	testkit.NoLeaks(t)
	var fds [3]int
	for i := range fds {
		a, b := testkit.Socketpair(t)
		fds[i] = a
		if i != 1 {
			testkit.Write(t, b, "data")
		}
	}
	a, b, c := fds[0], fds[1], fds[2]
	t.Run("int", func(t *testing.T) { selectFrom(t, a, b, c) })
	t.Run("named int", func(t *testing.T) { selectFrom(t, namedInt(a), namedInt(b), namedInt(c)) })
	t.Run("*os.File", func(t *testing.T) { selectFrom(t, file(t, a), file(t, b), file(t, c)) })
	t.Run("net.Conn", func(t *testing.T) { selectFrom(t, conn(t, a), conn(t, b), conn(t, c)) })
	t.Run("any", func(t *testing.T) { selectFrom[any](t, a, file(t, b), conn(t, c)) })
	t.Run("own type", func(t *testing.T) { selectFrom(t, &filenoPlain{a}, &filenoPlain{b}, &filenoPlain{c}) })
	t.Run("one object, several lists", func(t *testing.T) {
		f := file(t, a)
		list := []*os.File{f, f}
		r, w, x, err := pyselect.Select(list, list, list, pyselect.Forever)
		check(t, err)
		testkit.Equal(t, "readable", r, f, f)
		testkit.Equal(t, "writable", w, f, f)
		testkit.Equal(t, "exceptional", x)
	})
}

func TestSelectNegativeTimeout(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.Readable(t)
	for _, timeout := range []time.Duration{-1, -time.Hour, math.MinInt64} {
		for _, list := range [][]int{{r}, nil} {
			_, _, _, err := pyselect.Select(list, nil, nil, timeout)
			wantError(t, err, os.ErrInvalid, "select.select", timeout.String())
		}
	}
}

func TestSelectBadObjects(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.Readable(t)
	closed := file(t, r)
	check(t, closed.Close())
	for _, test := range []struct {
		obj  any
		want error
	}{
		{-1, os.ErrInvalid},
		{uintptr(1) << 31, os.ErrInvalid},
		{closed, os.ErrClosed},
		{"stdin", pyselect.ErrNotWaitable},
		{nil, pyselect.ErrNotWaitable},
		{filenoError{0, unix.ENODEV}, unix.ENODEV},
		{(*os.File)(nil), os.ErrInvalid},
	} {
		for i, name := range []string{"rlist[2]", "wlist[2]", "xlist[2]"} {
			lists := [3][]any{{r}, {r}, {r}}
			lists[i] = []any{r, r, test.obj, r}
			readable, writable, exceptional, err := pyselect.Select(lists[0], lists[1], lists[2], pyselect.Forever)
			wantError(t, err, test.want, "select.select", name)
			testkit.Equal(t, "ready", slices.Concat(readable, writable, exceptional))
		}
	}
	_, _, _, err := pyselect.Select([]int{r}, []int{r, -7}, nil, 0) // has a path of its own
	wantError(t, err, os.ErrInvalid, "wlist[1]", "-7")
	tooLarge := math.MaxInt32
	tooLarge++
	_, _, _, err = pyselect.Select(nil, nil, []int{tooLarge}, 0)
	wantError(t, err, os.ErrInvalid, "xlist[0]")
}

// As in Python, the objects are looked at before the descriptors are, whatever memory an earlier Select has left behind.
func TestSelectBadObjectBeforeClosedDescriptor(t *testing.T) {
	testkit.NoLeaks(t)
	for _, bad := range []int{testkit.ClosedFd(t, 0), 1 << 30} {
		_, _, _, err := pyselect.Select([]any{bad}, nil, []any{"stdin"}, 0)
		wantError(t, err, pyselect.ErrNotWaitable, "xlist[0]")
	}
}

func TestSelectClosedDescriptor(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.NotEmulated(t, "select above 1024 descriptors")
	testkit.NeedFds(t, 4100)
	r := testkit.Readable(t)
	high := testkit.Dup(t, r, 4000)
	for _, bad := range []int{1 << 20, 1 << 30, math.MaxInt32, testkit.ClosedFd(t, 3000), testkit.ClosedFd(t, 0)} {
		for i, name := range []string{"rlist", "wlist", "xlist"} {
			for _, list := range [][]int{{bad}, {r, bad}, {r, bad, bad, high}, {high, bad}} {
				lists := [3][]int{{r, high}, {r}, nil}
				lists[i] = list
				place := fmt.Sprintf("%s[%d]", name, slices.Index(list, bad))
				begin := time.Now()
				allocated := testkit.BytesAllocated(func() {
					_, _, _, err := pyselect.Select(lists[0], lists[1], lists[2], testkit.Patience)
					wantError(t, err, unix.EBADF, "select.select", place, fmt.Sprintf("fd %d:", bad))
				})
				if allocated > 1<<20 || time.Since(begin) >= testkit.Patience {
					t.Errorf("fd %d in %s: took %v and %d bytes", bad, place, time.Since(begin), allocated)
				}
			}
		}
	}
}

// Linux calls a descriptor ready that lies beyond the process's descriptor table, which grows and never shrinks: the test
// runs in a process that has had few descriptors.
func TestSelectBeyondDescriptorTable(t *testing.T) {
	testkit.NoLeaks(t)
	const variable = "PYSELECT_TEST_FEW_DESCRIPTORS"
	if os.Getenv(variable) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), variable+"=yes")
		var exit *exec.ExitError
		switch out, err := cmd.CombinedOutput(); {
		case errors.As(err, &exit):
			t.Errorf("%v\n%s", err, out)
		case err != nil:
			t.Skip("cannot start a process: ", err)
		}
		return
	}
	r := testkit.Readable(t)
	for _, bad := range []int{64, 255, 256, 1000} {
		for _, list := range [][]int{{bad}, {r, bad}, {bad, r}} {
			_, _, _, err := pyselect.Select(list, nil, nil, 0)
			wantError(t, err, unix.EBADF, fmt.Sprintf("rlist[%d]", slices.Index(list, bad)), fmt.Sprintf("fd %d:", bad))
		}
	}
}

// sendUrgent sends data with an out-of-band byte at the end.
func sendUrgent(t testing.TB, c *net.TCPConn, s string) {
	t.Helper()
	check(t, unix.Sendto(descriptor(t, c), []byte(s), unix.MSG_OOB, nil))
}

func TestSelectExceptional(t *testing.T) {
	testkit.NoLeaks(t)
	client, server := testkit.TCPPair(t)
	if _, err := client.Write([]byte("in band")); err != nil {
		t.Fatal(err)
	}
	list := []*net.TCPConn{client, server}
	r, _, _, err := pyselect.Select(list, nil, nil, pyselect.Forever)
	check(t, err)
	testkit.Equal(t, "readable", r, server)
	_, _, x, err := pyselect.Select(nil, nil, list, 0)
	check(t, err)
	testkit.Equal(t, "exceptional without urgent data", x)

	sendUrgent(t, client, "!")
	_, _, x, err = pyselect.Select(nil, nil, list, pyselect.Forever)
	check(t, err)
	testkit.Equal(t, "exceptional", x, server)
}

// Above FD_SETSIZE, where Python gives up.
func TestSelectHighDescriptors(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.NotEmulated(t, "select above 1024 descriptors")
	testkit.NeedFds(t, 5100)
	client, server := testkit.TCPPair(t)
	idle := idleSocket(t)
	sendUrgent(t, client, "data!")
	var ready, all []int
	for _, least := range []int{1023, 1024, 1500, 2047, 2048, 5000} {
		fd := testkit.Dup(t, descriptor(t, server), least)
		ready = append(ready, fd)
		all = append(all, testkit.Dup(t, idle, least), fd)
	}
	for i, name := range []string{"readable", "writable", "exceptional"} {
		var lists [3][]int
		lists[i] = all
		r, w, x, err := pyselect.Select(lists[0], lists[1], lists[2], pyselect.Forever)
		check(t, err)
		testkit.Equal(t, name, [][]int{r, w, x}[i], ready...)
		testkit.Equal(t, "the others", slices.Concat([][]int{r, w, x}[(i+1)%3], [][]int{r, w, x}[(i+2)%3]))
	}
}

func TestSelectManyDescriptors(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.NotEmulated(t, "select above 1024 descriptors")
	const n = 5000
	testkit.NeedFds(t, n+100)
	idle := idleSocket(t)
	ready, other := testkit.Socketpair(t) // and no pipe: on FreeBSD the end that is readable is writable too
	testkit.Fill(t, ready)
	testkit.Write(t, other, "data")
	var list, want []int
	for i := range n {
		if i%1000 == 500 {
			list = append(list, testkit.Dup(t, ready, 0))
			want = append(want, list[i])
		} else {
			list = append(list, testkit.Dup(t, idle, 0))
		}
	}
	for range 2 {
		r, w, x, err := pyselect.Select(list, list, list, pyselect.Forever)
		check(t, err)
		testkit.Equal(t, "readable", r, want...)
		testkit.Equal(t, "writable and exceptional", slices.Concat(w, x))
		slices.Reverse(list)
		slices.Reverse(want)
	}
}

func TestSelectRegularFile(t *testing.T) {
	testkit.NoLeaks(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	check(t, err)
	defer null.Close()
	list := []*os.File{testkit.File(t), null}
	r, w, _, err := pyselect.Select(list, list, nil, 0)
	check(t, err)
	testkit.Equal(t, "readable", r, list...)
	testkit.Equal(t, "writable", w, list...)
}

func TestSelectConcurrently(t *testing.T) {
	testkit.NoLeaks(t)
	shared, w := testkit.Pipe(t)
	var calls []*testkit.Call
	for range 20 {
		own := testkit.Readable(t)
		calls = append(calls, testkit.Go(t, func() {
			for range 100 {
				if r, _, _, err := pyselect.Select([]int{shared, own}, nil, nil, 0); !slices.Equal(r, []int{own}) || err != nil {
					t.Errorf("got %v, %v, want %d", r, err, own)
				}
			}
			if r, _, _, err := pyselect.Select([]int{shared}, nil, nil, pyselect.Forever); !slices.Equal(r, []int{shared}) || err != nil {
				t.Errorf("got %v, %v, want %d", r, err, shared)
			}
		}))
	}
	for _, call := range calls {
		call.Blocked()
	}
	testkit.Write(t, w, "x")
	for _, call := range calls {
		call.Wait()
	}
}

// A file that is reachable from the lists only is not closed by the garbage collector.
func TestSelectKeepsObjectsAlive(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	fd := dup(t, r)
	var got []*os.File
	var err error
	call := testkit.Go(t, func() {
		got, _, _, err = pyselect.Select([]*os.File{os.NewFile(uintptr(fd), "pipe")}, nil, nil, pyselect.Forever)
	}).Blocked()
	testkit.CollectGarbage(t)
	if !testkit.IsOpen(fd) {
		t.Error("the file was closed during the wait")
	}
	testkit.Write(t, w, "x")
	call.Wait()
	check(t, err)
	if len(got) != 1 || descriptor(t, got[0]) != fd {
		t.Fatalf("got %v, want the file", got)
	}
	check(t, got[0].Close())
}

func TestSelectAllocations(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("under the race detector, a sync.Pool forgets at random")
	}
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	testkit.Write(t, b, "data")
	idle := idleSocket(t)
	ready, none := []int{idle, a, testkit.Readable(t)}, []int{idle}
	for _, test := range []struct {
		name         string
		rlist, wlist []int
		timeout      time.Duration
		want         float64
	}{
		{"nothing ready", none, nil, 0, 0},
		{"timeout over", none, nil, 10 * time.Microsecond, 0},
		{"readable", ready, none, pyselect.Forever, 1},
		{"readable and writable", ready, ready, pyselect.Forever, 2},
	} {
		testkit.WantAllocs(t, test.name, test.want, func() { pyselect.Select(test.rlist, test.wlist, test.rlist, test.timeout) })
	}
}
