//go:build unix || windows

package progtest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/progtest"
)

const long = 1 << 20 // more than a pipe holds

func TestMain(m *testing.M) {
	progtest.Main(m, func() {
		fmt.Fprint(os.Stderr, strings.Repeat("e", long))
		fmt.Print(strings.Repeat("o", long))
		os.Exit(3)
	})
}

func TestEndReadsBothOutputs(t *testing.T) {
	status, stdout, stderr := progtest.Start(t).End(t)
	if status != 3 || len(stdout) != long || len(stderr) != long {
		t.Errorf("status %d, %d bytes of output, %d of complaints; want 3, and %d of each", status, len(stdout), len(stderr), long)
	}
}
