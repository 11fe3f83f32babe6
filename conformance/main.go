// Conformance runs the tests of CPython, Twisted, Tornado and Trio, unchanged, on pyselect: Python's modules select, selectors, _socket
// and _ssl are replaced by four that call Go, and each test has to end as it does on plain CPython. The exit status is 1 if one does
// not and is not expected to differ. Tests that are not installed are left out.
//
//	cd conformance && go run .
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A suite is tests, and what to replace for them.
type suite struct {
	name  string
	mode  string   // what is replaced, see python/run.py
	tests string   // Python modules or packages, with spaces between them, and what else run.py takes
	calls []string // what has to be called in Go
}

var suites = []suite{
	{"test_select", "select", "test.test_select", []string{"Select", "waitable.Fileno"}},
	{"test_poll", "select", "test.test_poll", slices.Concat(pollCalls, []string{"waitable.Fileno"})},
	{"test_epoll", "select", "test.test_epoll", slices.Concat(epollCalls, []string{"EpollFromFd", "Epoll.Closed", "waitable.Fileno"})},
	{"test_selectors, selectors.py on `Select`, `Poll`, `Epoll`", "select", "test.test_selectors",
		slices.Concat([]string{"Select"}, pollCalls, epollCalls)},
	{"test_selectors", "selectors", "test.test_selectors", append(selectorCalls("Select", "Poll", "Epoll", "Default"),
		"waitable.Fileno", "EpollSelector.Fileno", "PollSelector.Keys", "PollSelector.Len")},
	{"test_socketserver", "selectors", "test.test_socketserver", []string{"PollSelector.Register", "PollSelector.Select"}},
	{"test_subprocess", "selectors", "test.test_subprocess", []string{"PollSelector.Register", "PollSelector.Unregister",
		"PollSelector.Select", "SelectSelector.Register", "SelectSelector.Unregister", "SelectSelector.Select"}},
	{"test_socket", "socket", "test.test_socket", socketCalls},
	{"test_ssl", "ssl", "test.test_ssl", append(tlsCalls, "ssl.Socket.Cipher", "ssl.Socket.Getpeercert", "ssl.Socket.Pending",
		"ssl.Socket.SelectedAlpnProtocol", "ssl.Socket.Sendfile", "ssl.Socket.Version", "tls.Config.GetConfigForClient")},
	{"test_ftplib, test_httplib, test_imaplib, test_poplib, test_urllib2_localnet", "ssl",
		"test.test_ftplib test.test_httplib test.test_imaplib test.test_poplib test.test_urllib2_localnet", tlsCalls},
	{"test_asyncio", "selectors", "test.test_asyncio", selectorCalls("Select", "Poll", "Epoll", "Default")},
	{"test_asyncio, TLS with peers in Go", "ssl",
		"test.test_asyncio.test_ssl test.test_asyncio.test_sslproto test.test_asyncio.test_streams test.test_asyncio.test_sendfile",
		append(tlsCalls, "Socket.Accept", "Socket.Recv", "Socket.Send", "DefaultSelector.Select")},
}

var (
	pollCalls  = []string{"NewPoll", "Poll.Register", "Poll.Modify", "Poll.Unregister", "Poll.Poll"}
	epollCalls = []string{"NewEpoll", "Epoll.Register", "Epoll.Modify", "Epoll.Unregister", "Epoll.Poll", "Epoll.Fileno",
		"Epoll.Close"}
)

var socketCalls = []string{"socket.New", "socket.Adopt", "socket.Socketpair", "Socket.Accept", "Socket.Bind", "Socket.Close", "Socket.Connect",
	"Socket.Detach", "Socket.Fileno", "Socket.Getpeername", "Socket.Getsockname", "Socket.Getsockopt",
	"Socket.Gettimeout", "Socket.Listen", "Socket.Recv", "Socket.Recvfrom", "Socket.Recvmsg", "Socket.Send",
	"Socket.Sendall", "Socket.Sendfile", "Socket.Sendmsg", "Socket.Sendto", "Socket.Setsockopt",
	"Socket.Settimeout", "Socket.Shutdown"}

var tlsCalls = []string{"ssl.Client", "ssl.Server", "ssl.Socket.Close", "ssl.Socket.DoHandshake", "ssl.Socket.Recv", "ssl.Socket.Send",
	"ssl.Socket.Sendall", "ssl.Socket.Unwrap"}

func selectorCalls(kinds ...string) []string {
	var calls []string
	for _, kind := range kinds {
		calls = append(calls, "New"+kind+"Selector")
		for _, method := range []string{"Register", "Unregister", "Modify", "Key", "Select", "Close"} {
			calls = append(calls, kind+"Selector."+method)
		}
	}
	return calls
}

// An origin is a project whose tests are run.
type origin struct {
	imports string // what has to be there, for Python
	title   string // an expression of Python
	debian  string // the packages of Debian 12 that bring it
	suites  []suite
}

var origins = []origin{
	{"test.test_selectors, test.test_asyncio", `f"CPython {python}, its own tests"`, "python3 and libpython3.11-testsuite", suites},
	{"twisted.internet.test", `f"Twisted {twisted.__version__}, on CPython {python}"`, "python3-twisted", twistedSuites},
	{"tornado.test", `f"Tornado {tornado.version}, on CPython {python}"`, "python3-tornado", tornadoSuites},
	{"trio, pytest, trustme, astor", `f"Trio {trio.__version__}, on CPython {python}"`,
		"python3-trio, python3-pytest, python3-trustme and python3-astor", trioSuites},
}

func main() {
	python := flag.String("python", "", "Python `program`; by default python3 or /usr/bin/python3, whichever has the tests")
	only := flag.String("suite", "", "run only the suites whose `name` begins so")
	all := flag.Bool("all", false, "fail if some of the tests are not installed")
	verbose := flag.Bool("v", false, "print the calls that went through Go")
	flag.Parse()
	failed, err := run(*python, *only, *all, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(python, only string, all, verbose bool) (failed bool, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	r, err := newRunner(dir)
	if err != nil {
		return false, err
	}
	var notes, problems, missing, calls []string
	for _, o := range origins {
		chosen := slices.DeleteFunc(slices.Clone(o.suites), func(s suite) bool { return !strings.HasPrefix(s.name, only) })
		if len(chosen) == 0 {
			continue
		}
		var title string
		if r.python, title, err = findPython(python, o); err != nil {
			for _, s := range chosen {
				missing = append(missing, fmt.Sprintf("%s: %v", s.name, err))
			}
			continue
		}
		fmt.Printf("%s:\n\n", title)
		fmt.Println("| suite | run | passed | skipped | failed | on plain CPython: run | passed | skipped | failed | with another result |")
		fmt.Println("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
		for _, s := range chosen {
			c, err := r.compare(s)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s: %v", s.name, err))
				continue
			}
			fmt.Printf("| %s | %s | %s | %d |\n", s.name, c.ours.summary(), c.theirs.summary(), len(c.different))
			notes = append(notes, c.notes...)
			problems = append(problems, c.problems...)
			calls = append(calls, fmt.Sprintf("| %s | %s |", s.name, c.ours.callList()))
		}
		fmt.Println()
	}
	if calls == nil && missing == nil && problems == nil {
		return false, fmt.Errorf("no suite has a name that begins with %q", only)
	}
	if verbose && calls != nil {
		fmt.Printf("| suite | calls that went through Go |\n| --- | --- |\n%s\n\n", strings.Join(calls, "\n"))
	}
	printList("Left out, different as expected, or different only once:", notes)
	printList("Not run, because it is not installed:", missing)
	printList("Problems:", problems)
	return problems != nil || missing != nil && (all || calls == nil), nil
}

func printList(title string, lines []string) {
	if lines != nil {
		fmt.Printf("%s\n\n- %s\n\n", title, strings.Join(lines, "\n- "))
	}
}

// findPython returns a Python program that has the tests, and the title of their table.
func findPython(program string, o origin) (python, title string, err error) {
	const script = "import sys, platform, %s; python = platform.python_version(); print(sys.executable); print(%s)"
	ask := fmt.Sprintf(script, o.imports, o.title)
	for _, candidate := range slices.Compact([]string{cmp.Or(program, "python3"), cmp.Or(program, "/usr/bin/python3")}) {
		if out, err := exec.Command(candidate, "-c", ask).Output(); err == nil {
			python, title, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
			return python, title, nil
		}
	}
	return "", "", fmt.Errorf("no Python has %s: on Debian 12, install %s", o.imports, o.debian)
}
