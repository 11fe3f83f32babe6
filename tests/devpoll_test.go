//go:build solaris || emulated_devpoll

package tests

import (
	"context"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
)

func init() {
	contextWaits = append(contextWaits, contextWait{"Devpoll", func(t *testing.T, fd int) func(context.Context) (int, error) {
		d := testkit.NewDevpoll(t, fd)
		return func(ctx context.Context) (int, error) {
			events, err := d.PollContext(ctx)
			return len(events), err
		}
	}})
}
