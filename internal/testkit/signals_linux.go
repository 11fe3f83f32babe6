package testkit

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func signalThreads(sig unix.Signal) {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		unix.Tgkill(os.Getpid(), id, sig)
	}
}
