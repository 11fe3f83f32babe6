//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows

package wait

import (
	"runtime"

	"github.com/pyselect/pyselect/internal/sys"
)

// few reports whether so few waits hold a thread that one more may, where it could share one: about one for each processor.
func few() bool { return threads.Load() < int32(max(2, runtime.NumCPU())) }

// inBubble reports whether a wait until a deadline is in a bubble of testing/synctest.
func inBubble(deadline sys.Deadline) bool {
	return deadline.InBubble() || deadline == sys.Never && sys.InBubble()
}
