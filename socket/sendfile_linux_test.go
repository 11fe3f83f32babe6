package socket_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

// A file that sendfile(2) does not take is read.
func TestSendfileOfAnyFile(t *testing.T) {
	testkit.NoLeaks(t)
	f := must[*os.File](t)(os.Open("/proc/self/status"))
	defer f.Close()
	a, b := pair(t)
	if n, err := unix.Sendfile(fileno(t, a), int(f.Fd()), new(int64), 1); n > 0 {
		t.Skipf("sendfile(2) takes the file here: %d, %v", n, err)
	}
	n := must[int64](t)(a.Sendfile(f, 0, -1))
	if got := testkit.Drain(t, fileno(t, b)); !strings.HasPrefix(got, "Name:") || int64(len(got)) != n {
		t.Errorf("sent %d bytes, received %q", n, got)
	}
}
