package testkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A FuseFile is a file of which this process itself says when it is readable: it serves the file system. A system call that
// looks at it ends when a goroutine has answered.
type FuseFile struct {
	Fd int

	answer  func() bool
	fuse    int // the descriptor for the requests of the kernel
	mu      sync.Mutex
	handle  uint64 // of those who wait
	waiting bool
}

// OpenFuse mounts a file system of one file, and unmounts it at the end of the test. When the kernel asks whether the file is
// readable, answer is called.
func OpenFuse(t testing.TB, answer func() bool) *FuseFile {
	t.Helper()
	NotEmulated(t, "FUSE in the order of bytes of the processor")
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("/dev/fuse: %v", err)
	}
	dir := t.TempDir()
	if err := unix.Mount("test", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)); err != nil {
		unix.Close(fd)
		t.Skipf("no file system can be mounted: %v", err)
	}
	f := &FuseFile{answer: answer, fuse: fd}
	var served sync.WaitGroup
	served.Go(func() { f.serve(t) })
	t.Cleanup(func() {
		unix.Close(f.Fd)
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		served.Wait()
		unix.Close(fd)
	})
	f.Fd, err = unix.Open(filepath.Join(dir, "file"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	Check(t, err)
	return f
}

// A Once is a file that tells only the first who asks that it is readable.
type Once struct {
	*FuseFile
	ready atomic.Bool
}

// OpenOnce is OpenFuse for such a file.
func OpenOnce(t testing.TB) *Once {
	o := new(Once)
	o.FuseFile = OpenFuse(t, func() bool { return o.ready.Swap(false) })
	return o
}

// Cause makes it readable.
func (o *Once) Cause() {
	o.ready.Store(true)
	o.Notify()
}

// Notify lets the kernel ask again, for those who wait.
func (f *FuseFile) Notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting {
		f.waiting = false
		const poll = 1
		f.reply(0, poll, binary.NativeEndian.AppendUint64(nil, f.handle))
	}
}

// The layout of what follows is that of linux/fuse.h.

const (
	fuseLookup  = 1
	fuseForget  = 2
	fuseGetattr = 3
	fuseOpen    = 14
	fuseInit    = 26
	fuseDestroy = 38
	fusePoll    = 40
)

// serve answers the kernel until the file system is unmounted.
func (f *FuseFile) serve(t testing.TB) {
	const header = 40
	order := binary.NativeEndian
	buf := make([]byte, 1<<17)
	for {
		n, err := unix.Read(f.fuse, buf)
		switch {
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ECONNABORTED):
			return
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOENT): // a request that has been interrupted
			continue
		case err != nil:
			t.Errorf("reading from /dev/fuse: %v", err)
			return
		}
		unique, node, body := order.Uint64(buf[8:]), order.Uint64(buf[16:]), buf[header:n]
		switch order.Uint32(buf[4:]) {
		case fuseInit:
			answer := make([]byte, 64)
			order.PutUint32(answer, 7)
			order.PutUint32(answer[4:], 31)
			order.PutUint32(answer[20:], 4096) // of a write
			f.reply(unique, 0, answer)
		case fuseLookup:
			f.reply(unique, 0, append(order.AppendUint64(nil, 2), append(make([]byte, 32), attributes(2)...)...))
		case fuseGetattr:
			f.reply(unique, 0, append(make([]byte, 16), attributes(node)...))
		case fuseOpen:
			f.reply(unique, 0, make([]byte, 16))
		case fusePoll:
			const scheduleNotify = 1
			f.mu.Lock()
			if order.Uint32(body[16:])&scheduleNotify != 0 {
				f.handle, f.waiting = order.Uint64(body[8:]), true
			}
			f.mu.Unlock()
			answer := make([]byte, 8)
			if f.answer() {
				order.PutUint32(answer, unix.POLLIN)
			}
			f.reply(unique, 0, answer)
		case fuseForget:
		case fuseDestroy:
			f.reply(unique, 0, nil)
			return
		default: // among these FLUSH and RELEASE, for which that is as good as an answer
			f.reply(unique, -int32(unix.ENOSYS), nil)
		}
	}
}

// attributes returns a struct fuse_attr: node 1 is the folder, 2 the file.
func attributes(node uint64) []byte {
	order := binary.NativeEndian
	attr := make([]byte, 88)
	order.PutUint64(attr, node)
	mode := uint32(unix.S_IFREG | 0o600)
	if node == 1 {
		mode = unix.S_IFDIR | 0o700
	}
	order.PutUint32(attr[60:], mode)
	order.PutUint32(attr[64:], 1) // link
	return attr
}

func (f *FuseFile) reply(unique uint64, code int32, body []byte) {
	order := binary.NativeEndian
	msg := order.AppendUint32(nil, uint32(16+len(body)))
	msg = order.AppendUint32(msg, uint32(code))
	msg = order.AppendUint64(msg, unique)
	unix.Write(f.fuse, append(msg, body...))
}
