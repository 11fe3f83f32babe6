// Package process measures other processes, for the commands that load programs.
package process

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the CPU time that all threads of a process have taken.
func CPUTime(pid int) (time.Duration, error) {
	const cpuclockSched = 2 // from linux/posix-timers.h, as clock_getcpuclockid does it
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts)
	return time.Duration(ts.Nano()), os.NewSyscallError("clock_gettime", err)
}

var vmRSS = regexp.MustCompile(`VmRSS:\s*(\d+) kB`)

// Resident returns the resident memory of a process in KiB.
func Resident(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := vmRSS.FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("process %d has no VmRSS", pid)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
