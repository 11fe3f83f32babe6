//go:build unix

package tests

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
)

// errBadFd is the system's error for a descriptor that is not open.
const errBadFd = unix.EBADF

// fds returns numbers for a testkit.World: on request, beyond what an fd_set has room for.
func fds(high bool) (base int) {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	if high && limit.Cur >= 1200 && os.Getenv("PYSELECT_EMULATED") == "" { // an emulator has no larger fd_set
		return 1100
	}
	return 200
}

// checkMask checks that the text of a mask has the names of the bits that have one, and the number of the rest.
func checkMask(t *testing.T, text string, mask uint32, bits map[string]uint32) {
	t.Helper()
	var parsed uint32
	for name := range strings.SplitSeq(text, "|") {
		bit, ok := bits[name]
		if number, isNumber := strings.CutPrefix(name, "0x"); isNumber {
			rest, err := strconv.ParseUint(number, 16, 32)
			check(t, err)
			bit, ok = uint32(rest), rest != 0 || mask == 0
			for name, named := range bits {
				if bit&named != 0 {
					t.Fatalf("String of %#x is %q, want %s by its name", mask, text, name)
				}
			}
		}
		if !ok || parsed&bit != 0 {
			t.Fatalf("String of %#x is %q", mask, text)
		}
		parsed |= bit
	}
	if parsed != mask {
		t.Fatalf("String of %#x is %q, which is %#x", mask, text, parsed)
	}
}

func FuzzPollMask(f *testing.F) {
	bits := map[string]uint32{
		"POLLIN": unix.POLLIN, "POLLPRI": unix.POLLPRI, "POLLOUT": unix.POLLOUT, "POLLERR": unix.POLLERR, "POLLHUP": unix.POLLHUP,
		"POLLNVAL": unix.POLLNVAL,
	}
	for name, mask := range map[string]pyselect.PollMask{
		"POLLRDNORM": pyselect.POLLRDNORM, "POLLRDBAND": pyselect.POLLRDBAND,
		"POLLWRNORM": pyselect.POLLWRNORM, "POLLWRBAND": pyselect.POLLWRBAND,
	} {
		bits[name] = uint32(mask)
	}
	if runtime.GOOS == "linux" {
		bits["POLLMSG"], bits["POLLRDHUP"] = 0x400, 0x2000
	}
	for _, mask := range []uint16{0, unix.POLLIN, unix.POLLIN | unix.POLLHUP, unix.POLLNVAL, 0x800, 0x8001, math.MaxUint16} {
		f.Add(mask)
	}
	f.Fuzz(func(t *testing.T, mask uint16) {
		checkMask(t, pyselect.PollMask(mask).String(), uint32(mask), bits)
	})
}
