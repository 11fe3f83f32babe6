package testkit

import (
	"testing"

	"golang.org/x/sys/unix"
)

// NoMoreFds lets no descriptor be opened until the end of the test, and poll(2) take no more entries than most.
func NoMoreFds(t testing.TB, most int) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(most), Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) })
}
