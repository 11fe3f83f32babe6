//go:build solaris || emulated_devpoll

package wait_test

import (
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// An event that a block has found is nobody's when its descriptor has been changed since: the number may have another owner.
func TestDevpollChangedDuringBlock(t *testing.T) {
	testkit.NoLeaks(t)
	a, b, c := testkit.Readable(t), testkit.Readable(t), testkit.Readable(t)
	d, err := wait.NewDevpoll()
	testkit.Check(t, err)
	defer d.Release()
	found := func(n int, blocked bool) (fds []int) {
		for _, f := range d.Found(n, blocked) {
			fds = append(fds, int(f.Fd))
		}
		return fds
	}
	for _, test := range []struct {
		name   string
		change func() error
		want   []int
	}{
		{"nothing", func() error { return nil }, []int{a, b}},
		{"put", func() error { return d.Put(a, sys.In) }, []int{b}},
		{"remove", func() error { return d.Remove(b) }, []int{a}},
		{"remove and put", func() error { d.Remove(b); return d.Put(b, sys.In) }, []int{a}},
		{"put another", func() error { return d.Put(c, sys.In) }, []int{a, b}},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Check(t, d.Put(a, sys.In))
			testkit.Check(t, d.Put(b, sys.In))
			testkit.Check(t, d.Remove(c))
			d.Arm(9)
			n, err := d.Sleep(sys.Never)
			testkit.Check(t, err)
			testkit.Check(t, test.change())
			equal(t, "found", found(n, true), test.want)
		})
	}
	n, err := d.Look(9)
	testkit.Check(t, err)
	equal(t, "found by a Look", found(n, false), []int{a, b, c})
}

// wokenDevpoll returns a Devpoll whose waker is ready, and behind that a descriptor.
func wokenDevpoll(t *testing.T) (d *wait.Devpoll, ready int) {
	t.Helper()
	testkit.NoLeaks(t)
	d, err := wait.NewDevpoll() // with descriptors below the other one
	testkit.Check(t, err)
	t.Cleanup(func() { d.Release() })
	ready = testkit.Readable(t)
	testkit.Check(t, d.Put(ready, sys.In))
	d.Wake()
	return d, ready
}

// The waker does not take the only place.
func TestDevpollWokenWithLittleRoom(t *testing.T) {
	d, r := wokenDevpoll(t)
	d.Arm(1)
	if n, err := d.Sleep(sys.Never); n != -1 || err != nil {
		t.Errorf("Sleep has found %d, %v, want that a Look has to", n, err)
	}
	for range 5 {
		n, err := d.Look(1)
		testkit.Check(t, err)
		if f := d.Found(n, false); len(f) != 1 || int(f[0].Fd) != r {
			t.Errorf("found %v, want fd %d", f, r)
		}
	}
	d.Disarm(true)
}

// A Look with room for one finds what is ready beside the waker, although a Sleep may move the place at which the kernel goes on.
func TestDevpollLooksDuringSleep(t *testing.T) {
	d, r := wokenDevpoll(t)
	for range 2000 {
		d.Arm(1)
		sleep := testkit.Go(t, func() {
			if _, err := d.Sleep(sys.Never); err != nil {
				t.Error(err)
			}
		})
		for range 10 {
			n, err := d.Look(1)
			testkit.Check(t, err)
			if f := d.Found(n, false); len(f) != 1 || int(f[0].Fd) != r {
				t.Fatalf("found %v, want fd %d", f, r)
			}
		}
		sleep.Wait()
	}
	d.Disarm(true)
}
