package tests

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

const startupEnv = "PYSELECT_TEST_STARTUP"

// In a process of its own, before anything has started Go's poller. Standard input is a pipe.
func init() {
	test := os.Getenv(startupEnv)
	if test == "" {
		return
	}
	const limit = 30
	var spare [limit]int
	exhaust := func(left int) {
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit})
		n := 0
		for ; n < limit; n++ {
			fd, err := unix.Dup(0)
			if err != nil {
				break
			}
			spare[n] = fd
		}
		for _, fd := range spare[n-left : n] {
			unix.Close(fd)
		}
	}
	switch test {
	case "wait":
		e, err := pyselect.NewEpoll()
		if err != nil {
			fmt.Println(err)
		}
		exhaust(0)
		events, err := e.Poll(5*time.Millisecond, -1)
		fmt.Println(len(events), err)
	case "create with one left":
		exhaust(1)
		_, err := pyselect.NewEpoll()
		fmt.Println(err)
	case "create with two left":
		exhaust(2)
		_, err := pyselect.NewEpoll()
		fmt.Println(err)
	case "exact":
		wait.Force.Store(int32(wait.Together))
		best := time.Hour
		for range 1000 {
			start := time.Now()
			pyselect.Select([]int{0}, nil, nil, 300*time.Microsecond)
			best = min(best, time.Since(start))
		}
		fmt.Println(best < 800*time.Microsecond, best >= 300*time.Microsecond)
	default:
		wait.Force.Store(int32(wait.Together))
		var left int
		fmt.Sscanf(test, "select with %d left", &left)
		exhaust(left)
		r, w, x, err := pyselect.Select([]int{0}, nil, nil, 5*time.Millisecond)
		fmt.Println(len(r)+len(w)+len(x), err)
	}
	os.Exit(0)
}

// Go's runtime ends a process that is out of descriptors when the runtime needs its poller for the first time. And what all waits
// share is there from the first one on.
func TestStartup(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"wait", "0 <nil>\n"},
		{"create with one left", "select.epoll: too many open files\n"},
		{"create with two left", "select.epoll: too many open files\n"},
		{"select with 0 left", "0 <nil>\n"},
		{"select with 1 left", "0 <nil>\n"},
		{"select with 2 left", "0 <nil>\n"},
		{"select with 3 left", "0 <nil>\n"},
		{"select with 4 left", "0 <nil>\n"},
		{"exact", "true true\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			itself := testkit.Itself(t, startupEnv+"="+test.name)
			itself.Stdin = pipeFile(t)
			out, err := itself.CombinedOutput()
			if exit, ok := err.(*exec.ExitError); err != nil && !ok {
				t.Skipf("no program can be started: %v", err)
			} else if string(out) != test.want {
				t.Errorf("%v: %.300s, want %s", exit, out, test.want)
			}
		})
	}
}

func pipeFile(t *testing.T) *os.File {
	r, w, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}
