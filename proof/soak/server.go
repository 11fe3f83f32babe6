//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pyselect/pyselect/internal/process"
)

const (
	maxDescriptors = 48 // of a server
	maxOutput      = 4 << 20
	maxShown       = 4000
	quit           = "SIGQUIT: quit\n" // is what a program in Go prints first

	idleTime   = 2 * time.Second  // for which the processor time of an idle server is measured
	settleTime = 45 * time.Second // that a server has to become idle
	maxBusy    = 0.01             // of the processor, when it is idle

	// By how much a server may grow. A thread that was needed once stays, and there may have been one for each child. The garbage
	// collector takes its time.
	moreThreads  = maxDescriptors
	moreResident = 16.0 // MiB, and a fifth
)

var (
	aGoroutine = regexp.MustCompile(`^goroutine [1-9]`)
	address    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// A server is a process.
type server struct {
	cmd            *exec.Cmd
	addr           string
	stdout, stderr output
	ended          chan struct{} // closed
}

// An output is the first that a process has printed.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p[:min(len(p), maxOutput-len(o.text))]...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// start starts a server and waits until it says where it listens.
func start(program string, args ...string) (*server, error) {
	limited := []string{"-c", `ulimit -n "$0" && exec "$@"`, strconv.Itoa(maxDescriptors), program}
	args = slices.Concat(limited, args, []string{"-listen", "127.0.0.1:0"})
	s := &server{cmd: exec.Command("sh", args...), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	s.cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	s.cmd.WaitDelay = time.Second // its children have the same output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	for deadline := time.After(patience); ; {
		if s.addr = address.FindString(s.stdout.String()); s.addr != "" {
			return s, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
			continue
		case <-s.ended:
		case <-deadline:
		}
		s.kill()
		return nil, fmt.Errorf("it does not say where it listens, but %q", s.stderr.String())
	}
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.ended
}

// quit ends a server and returns the stacks of the goroutines that it had, without those of the runtime.
func (s *server) quit() (goroutines []string, err error) {
	s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.ended:
	case <-time.After(patience):
		return nil, errors.New("SIGQUIT does not end it")
	}
	_, dump, found := strings.Cut(s.stderr.String(), quit)
	if !found {
		return nil, errors.New("it has ended without SIGQUIT")
	}
	for stack := range strings.SplitSeq(dump, "\n\n") {
		if aGoroutine.MatchString(stack) && !strings.Contains(stack, "\ncreated by runtime.") {
			goroutines = append(goroutines, stack)
		}
	}
	return goroutines, nil
}

// complaints is what a server has logged, except for what has to be when it has no descriptors.
func (s *server) complaints() error {
	var lines string
	text, _, _ := strings.Cut(s.stderr.String(), quit)
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "too many open files; next try in 1s\n") {
			lines += line
		}
	}
	return failure(lines != "", "it says:\n%s", lines[max(0, len(lines)-maxShown):])
}

// A usage is what a server needs.
type usage struct {
	descriptors, children, threads int
	resident                       float64 // MiB
	busy                           float64 // seconds of processor time in a second
	goroutines                     []string
}

func (s *server) usage() (u usage, err error) {
	pid := s.cmd.Process.Pid
	before, err := process.CPUTime(pid)
	time.Sleep(idleTime)
	after, err2 := process.CPUTime(pid)
	u.busy = (after - before).Seconds() / idleTime.Seconds()

	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, thread := range threads {
		children, _ := os.ReadFile(thread)
		u.children += len(strings.Fields(string(children)))
	}
	if u.threads = len(threads); u.threads == 0 {
		err = errors.Join(err, errors.New("the kernel does not say which threads and children it has"))
	}
	kib, err3 := process.Resident(pid)
	u.resident = kib / 1024
	u.descriptors = len(s.descriptors())
	return u, errors.Join(err, err2, err3)
}

// descriptors returns what is open.
func (s *server) descriptors() (open []string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid))
	for _, link := range links {
		target, _ := os.Readlink(link)
		open = append(open, filepath.Base(link)+": "+target)
	}
	return open
}

// settle waits until a server that nobody uses is idle, and has as many descriptors as a fresh one. It returns what it needs.
func (s *server) settle(fresh *usage) (u usage, err error) {
	for deadline := time.Now().Add(settleTime); ; {
		u, err = s.usage()
		switch {
		case err != nil:
			return u, err
		case u.busy > maxBusy:
			err = fmt.Errorf("it takes %.1f ms of processor time in a second when it is idle", u.busy*1e3)
		case u.children > 0:
			err = fmt.Errorf("it has %d children when it is idle", u.children)
		case fresh != nil && u.descriptors > fresh.descriptors:
			err = fmt.Errorf("it has %d descriptors when it is idle, and a fresh one %d: %q",
				u.descriptors, fresh.descriptors, s.descriptors())
		}
		if err == nil || time.Now().After(deadline) {
			return u, err
		}
	}
}
