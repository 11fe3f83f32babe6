package selectors_test

import (
	"math"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// After four thousand million registrations, their serial numbers begin again from zero. The order of the keys stays.
func TestSerialNumbersBeginAgain(t *testing.T) {
	testkit.NoLeaks(t)
	sel, err := selectors.NewEpollSelector()
	check(t, err)
	defer sel.Close()
	sel.SetLastSerial(math.MaxUint32 - 2)
	var fds, got []int
	for range 5 {
		fds = append(fds, testkit.Readable(t))
		register(t, sel, fds[len(fds)-1], read, nil)
	}
	for key := range sel.Keys() {
		got = append(got, key.Fd)
	}
	testkit.Equal(t, "keys", got, fds...)
	ready, err := sel.Select(0)
	check(t, err)
	if len(ready) != len(fds) {
		t.Errorf("%v are ready, want all of %v", pairs(ready), fds)
	}
}
