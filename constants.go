package pyselect

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Forever is the timeout that never ends, Python's timeout=None: wait until something is ready.
const Forever time.Duration = math.MaxInt64

// forever returns Forever for a negative timeout. It is for the calls in which Python then waits for ever.
func forever(timeout time.Duration) time.Duration {
	if timeout < 0 {
		return Forever
	}
	return timeout
}

type bitName[M ~uint16 | ~uint32] struct {
	bit  M
	name string
}

// maskString returns the names of the bits of a mask, joined by "|". Bits without a name make one hexadecimal number.
func maskString[M ~uint16 | ~uint32](mask M, names []bitName[M]) string {
	var parts []string
	for _, n := range names {
		if mask&n.bit != 0 {
			parts = append(parts, n.name)
			mask &^= n.bit
		}
	}
	if mask != 0 || parts == nil {
		parts = append(parts, "0x"+strconv.FormatUint(uint64(mask), 16))
	}
	return strings.Join(parts, "|")
}
