package sys_test

import (
	"fmt"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

// BenchmarkSelect compares Select with the bare call, which is given sets that are ready to use.
func BenchmarkSelect(b *testing.B) {
	bare := windows.NewLazySystemDLL("ws2_32.dll").NewProc("select")
	for _, n := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var peers []int
			entries, set := []sys.PollFd{}, []uintptr{uintptr(n)}
			for range n {
				a, peer := testkit.Socketpair(b)
				entries, set, peers = append(entries, sys.Entry(a, sys.In)), append(set, uintptr(a)), append(peers, peer)
			}
			written := 0
			for _, ready := range []int{1, n} {
				for ; written < ready; written++ {
					testkit.Write(b, peers[written], "x")
				}
				b.Run(fmt.Sprint(ready, " ready/Select"), func(b *testing.B) {
					for b.Loop() {
						if found, err := sys.Select(entries, sys.Now); found != ready || err != nil {
							b.Fatal(found, err)
						}
					}
				})
				b.Run(fmt.Sprint(ready, " ready/bare"), func(b *testing.B) {
					buf, now := make([]uintptr, len(set)), new(windows.Timeval)
					for b.Loop() {
						copy(buf, set)
						found, _, err := syscall.SyscallN(bare.Addr(), 0, uintptr(unsafe.Pointer(&buf[0])), 0, 0, uintptr(unsafe.Pointer(now)))
						if int(found) != ready {
							b.Fatal(found, err)
						}
					}
				})
			}
		})
	}
}
