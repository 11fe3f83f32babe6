//go:build emulated_devpoll

package tests

import (
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

func init() {
	wait := func(d *pyselect.Devpoll) waitFunc {
		return func(timeout time.Duration) (int, error) {
			events, err := d.Poll(timeout)
			return len(events), err
		}
	}
	ways = append(ways,
		way{"Devpoll", func(t *testing.T, fd int) waitFunc { return wait(testkit.NewDevpoll(t, fd)) }},
		way{"Devpoll, second waiter", func(t *testing.T, fd int) waitFunc {
			d := testkit.NewDevpoll(t, fd)
			first := testkit.Go(t, func() { d.Poll(pyselect.Forever) }).Blocked()
			t.Cleanup(func() {
				check(t, d.Close())
				first.Wait()
			})
			return wait(d)
		}},
	)
	waysToSleep = append(waysToSleep, way{"Devpoll of nothing", func(t *testing.T, _ int) waitFunc { return wait(testkit.NewDevpoll(t)) }})
}
