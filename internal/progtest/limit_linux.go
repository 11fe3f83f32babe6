package progtest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Limit lets a program that runs have so many descriptors, not more than it was started with.
func (p *Program) Limit(t testing.TB, fds uint64) {
	t.Helper()
	var limit unix.Rlimit
	err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit)
	limit.Cur = fds
	if err = errors.Join(err, unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil)); err != nil {
		t.Fatal(err)
	}
}
