package docs

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// fileKinds are the files of the table by their names there.
var fileKinds = map[string]func(testing.TB) testkit.Special{
	"socket": func(t testing.TB) testkit.Special {
		a, b := testkit.Socketpair(t)
		return readable(t, a, b)
	},
	"pipe": func(t testing.TB) testkit.Special {
		r, w := testkit.Pipe(t)
		return readable(t, r, w)
	},
	"out-of-band byte": func(t testing.TB) testkit.Special {
		client, server := testkit.TCPPair(t)
		from, err := pyselect.Fileno(client)
		testkit.Check(t, err)
		to, err := pyselect.Fileno(server)
		testkit.Check(t, err)
		return testkit.Special{
			Fd: testkit.Dup(t, to, 0), Events: unix.POLLPRI,
			Cause: func() { testkit.Check(t, unix.Sendto(from, []byte("!"), unix.MSG_OOB, nil)) },
			Reset: func() { unix.Recvfrom(to, make([]byte, 1), unix.MSG_OOB) },
		}
	},
	"terminal":       special("pty"),
	"netlink socket": special("netlink"),
	"eventfd":        special("eventfd"),
	"timerfd":        special("timerfd"),
	"inotify":        special("inotify"),
	"signalfd":       special("signalfd"),
	"pidfd":          special("pidfd"),
	"perf event":     special("perf event"),
	"mount table":    special("mount table"),
	"host name":      special("host name"),
	"pressure":       special("pressure"),
	"attribute":      special("attribute"),
	"regular file":   func(t testing.TB) testkit.Special { return idle(t, testkit.File(t).Name()) },
	"directory":      func(t testing.TB) testkit.Special { return idle(t, t.TempDir()) },
	"/dev/null":      func(t testing.TB) testkit.Special { return idle(t, os.DevNull) },
}

func special(name string) func(testing.TB) testkit.Special {
	for _, s := range testkit.Specials {
		if s.Name == name {
			return s.Open
		}
	}
	panic(name)
}

func readable(t testing.TB, r, w int) testkit.Special {
	send := func() { testkit.Write(t, w, "x") }
	return testkit.Special{Fd: r, Events: unix.POLLIN, Cause: send, Reset: func() { testkit.Drain(t, r) }}
}

// idle returns a file to which nothing happens.
func idle(t testing.TB, path string) testkit.Special {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	testkit.Check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return testkit.Special{Fd: fd, Events: unix.POLLIN, Cause: func() {}}
}

// A look waits, and returns how many files are ready.
type look func(timeout time.Duration) (int, error)

// tableColumns ask for what a cell of the table says, or to read if it says what comes of that. The error is that of Register.
var tableColumns = map[string]func(t testing.TB, f any, cell string) (look, error){
	"`Select`": func(t testing.TB, f any, cell string) (look, error) {
		var lists [3][]any
		lists[meaning(t, cell, map[string]int{"first list": 0, "always": 0, "third list": 2})] = []any{f}
		return func(timeout time.Duration) (int, error) {
			r, _, x, err := pyselect.Select(lists[0], nil, lists[2], timeout)
			return len(r) + len(x), err
		}, nil
	},
	"`Poll`": func(t testing.TB, f any, cell string) (look, error) {
		const in, pri = pyselect.POLLIN, pyselect.POLLPRI
		p := pyselect.NewPoll()
		return func(timeout time.Duration) (int, error) {
			events, err := p.Poll(timeout)
			return len(events), err
		}, p.Register(f, meaning(t, cell, map[string]pyselect.PollMask{"POLLIN": in, "always": in, "POLLPRI": pri}))
	},
	"`Epoll`": func(t testing.TB, f any, cell string) (look, error) {
		const in, pri = pyselect.EPOLLIN, pyselect.EPOLLPRI
		ep := testkit.NewEpoll(t, 0)
		return func(timeout time.Duration) (int, error) {
			events, err := ep.Poll(timeout, -1)
			return len(events), err
		}, ep.Register(f, meaning(t, cell, map[string]pyselect.EpollMask{"EPOLLIN": in, "EPERM": in, "EPOLLPRI": pri}))
	},
	"`SelectSelector`": selectorColumn(selectors.NewSelectSelector),
	"`PollSelector`":   selectorColumn(selectors.NewPollSelector),
	"`EpollSelector`":  selectorColumn(selectors.NewEpollSelector),
}

func selectorColumn[S selectors.BaseSelector](newSelector func() (S, error)) func(testing.TB, any, string) (look, error) {
	const in = selectors.EventRead
	words := map[string]selectors.Event{"EventRead": in, "always": in, "never": in, "EPERM": in}
	return func(t testing.TB, f any, cell string) (look, error) {
		sel, err := newSelector()
		testkit.Check(t, err)
		t.Cleanup(func() { sel.Close() })
		_, err = sel.Register(f, meaning(t, cell, words), nil)
		return func(timeout time.Duration) (int, error) {
			ready, err := sel.Select(timeout)
			return len(ready), err
		}, err
	}
}

func meaning[V any](t testing.TB, cell string, words map[string]V) V {
	t.Helper()
	value, ok := words[cell]
	if !ok {
		t.Fatalf("the cell %q is none of %v", cell, words)
	}
	return value
}

// is checks whether a file is ready.
func (l look) is(t testing.TB, ready bool, what string) {
	t.Helper()
	if n, err := l(0); (n > 0) != ready || err != nil {
		t.Errorf("%s: %d ready, %v", what, n, err)
	}
}

// becomes waits until a file is ready.
func (l look) becomes(t testing.TB, what string) {
	t.Helper()
	if n, err := l(testkit.Patience); n == 0 || err != nil {
		t.Errorf("%s: %d ready, %v", what, n, err)
	}
}

// ends waits until a file is not ready any more: another process may change the mount table or the host name, too.
func (l look) ends(t testing.TB, what string) {
	t.Helper()
	testkit.Eventually(t, what+": nothing to be ready", func() bool {
		n, err := l(0)
		testkit.Check(t, err)
		return n == 0
	})
}

// Each cell of the page's table is right.
func TestTable(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "recipes.md"), "\n| |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	header := cells(rows[0])
	if len(header) != len(tableColumns)+1 || len(rows) < 3 {
		t.Fatalf("the table has columns %q, and %d rows", header, len(rows))
	}
	tried := make(map[string]bool)
	for _, row := range rows[2:] {
		row := cells(strings.TrimPrefix(row, "|"))
		for _, name := range strings.Split(row[0], ", ") {
			tried[name] = true
			t.Run(name, func(t *testing.T) { testRow(t, fileKinds[name], header, row[1:]) })
		}
	}
	for name := range fileKinds {
		if !tried[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func cells(row string) []string {
	row = strings.TrimSuffix(row, " |")
	list := strings.Split(row, "|")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func testRow(t *testing.T, open func(testing.TB) testkit.Special, header, row []string) {
	files, looks := make([]testkit.Special, len(tableColumns)), make([]look, len(tableColumns))
	for i := range looks {
		var err error
		files[i] = open(t)
		if files[i].Reset != nil {
			files[i].Reset()
		}
		looks[i], err = tableColumns[header[i]](t, files[i].Fd, row[i])
		switch {
		case errors.Is(err, unix.EPERM) != (row[i] == "EPERM") || err != nil && row[i] != "EPERM":
			t.Errorf("%s: the table says %q, and Register %v", header[i], row[i], err)
		case row[i] == "EPERM":
		case row[i] == "always":
			looks[i].is(t, true, header[i])
			looks[i].is(t, true, header[i])
		default:
			looks[i].ends(t, header[i]+", at first")
		}
	}
	for i, l := range looks {
		if row[i] == "EPERM" || row[i] == "always" {
			continue // whatever happens
		}
		files[i].Cause()
		switch row[i] {
		case "never":
			p := pyselect.NewPoll()
			testkit.Check(t, p.Register(files[i].Fd, pyselect.PollMask(files[i].Events)))
			events, err := p.Poll(testkit.Patience)
			if len(events) == 0 || err != nil {
				t.Errorf("%s: %d ready for what is not asked, %v", header[i], len(events), err)
			}
			l.is(t, false, header[i])
		default:
			l.becomes(t, header[i])
			switch row[len(looks)] {
			case "once":
				l.ends(t, header[i])
			case "for ever":
				l.is(t, true, header[i])
			case "until it is read":
				l.is(t, true, header[i])
				files[i].Reset()
				l.is(t, false, header[i])
			default:
				t.Errorf("reported: %q", row[len(looks)])
			}
		}
	}
}

// Selectors see what is urgent through an Epoll.
func TestUrgent(t *testing.T) {
	for _, kind := range []string{"out-of-band byte", "attribute", "mount table", "host name", "pressure"} {
		t.Run(kind, func(t *testing.T) {
			names := []string{"`SelectSelector`", "`PollSelector`", "`EpollSelector`"}
			files, looks := make([]testkit.Special, len(names)), make([]look, len(names))
			for i, name := range names {
				f := fileKinds[kind](t)
				if f.Reset != nil {
					f.Reset()
				}
				ep, err := urgent(f.Fd)
				testkit.Check(t, err)
				defer ep.Close()
				files[i] = f
				looks[i], err = tableColumns[name](t, ep, "EventRead")
				testkit.Check(t, err)
				looks[i].ends(t, name+", at first")
			}
			for i, f := range files {
				f.Cause()
				looks[i].becomes(t, names[i])
				if f.Reset != nil {
					f.Reset()
				}
				looks[i].ends(t, names[i])
			}
		})
	}
}

// What is reported once may be reported to Go's poller, which has what package os has opened.
func TestOpenedByPackageOs(t *testing.T) {
	change := mountSomething(t)
	f, err := os.Open("/proc/self/mountinfo")
	testkit.Check(t, err)
	defer f.Close()
	testkit.Eventually(t, "a change to get lost", func() bool {
		change()
		time.Sleep(time.Millisecond) // in which Go's poller looks, or not
		_, _, changed, err := pyselect.Select(nil, nil, []*os.File{f}, 0)
		testkit.Check(t, err)
		return len(changed) == 0
	})
}

const signalfdEnv = "PYSELECT_SIGNALFD"

// A signalfd gets what all threads block. Go's are as the program was started.
func TestSignalfd(t *testing.T) {
	runtime.LockOSThread() // for ever: the thread ends with the test
	var set unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGWINCH - 1)
	testkit.Check(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
	switch os.Getenv(signalfdEnv) {
	case "block":
		os.Setenv(signalfdEnv, "blocked")
		t.Fatal(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	case "blocked":
		sel := newSelector(t)
		fd := open(t)(unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK))
		testkit.Check(t, unix.Kill(os.Getpid(), unix.SIGWINCH))
		testkit.Check(t, onData(sel, fd, func(info []byte) error {
			if info[0] != byte(unix.SIGWINCH) {
				t.Errorf("the signalfd has reported %v", info)
			}
			return errSeen
		}))
		runs(t, sel)
	default:
		fd := open(t)(unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK))
		elsewhere := make(chan os.Signal, 1)
		signal.Notify(elsewhere, unix.SIGWINCH)
		defer signal.Stop(elsewhere)
		testkit.Check(t, unix.Kill(os.Getpid(), unix.SIGWINCH))
		if s := <-elsewhere; s != syscall.SIGWINCH {
			t.Errorf("received %v", s)
		}
		r, _, _, err := pyselect.Select([]int{fd}, nil, nil, 0)
		if len(r) > 0 || err != nil {
			t.Errorf("the signalfd: %d ready, %v", len(r), err)
		}
		out, err := testkit.Itself(t, signalfdEnv+"=block", "-test.v", "-test.run=^TestSignalfd$").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestSignalfd") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
