// Conformance runs CPython's own tests, unchanged, on pyselect: its modules select, selectors, _socket and _ssl are replaced by four
// that call Go, and each test has to end as it does on plain CPython. The exit status is 1 if one does not and is not expected to
// differ.
//
//	cd conformance && go run .
package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A suite is tests of CPython, and what to replace for them.
type suite struct {
	name  string
	mode  string   // what is replaced, see python/run.py
	tests string   // Python modules or packages, with spaces between them
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

func main() {
	python := flag.String("python", "", "Python `program`; by default python3 or /usr/bin/python3, whichever has its tests")
	only := flag.String("suite", "", "run only the suites whose `name` begins so")
	verbose := flag.Bool("v", false, "print the calls that went through Go")
	flag.Parse()
	failed, err := run(*python, *only, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(python, only string, verbose bool) (failed bool, err error) {
	interpreter, version, err := findPython(python)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	r, err := newRunner(interpreter, dir)
	if err != nil {
		return false, err
	}

	if !slices.ContainsFunc(suites, func(s suite) bool { return strings.HasPrefix(s.name, only) }) {
		return false, fmt.Errorf("no suite has a name that begins with %q", only)
	}
	fmt.Printf("CPython %s, its own tests:\n\n", version)
	fmt.Println("| suite | run | passed | skipped | failed | on plain CPython: run | passed | skipped | failed | with another result |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	var notes, problems []string
	calls := map[string]map[string]int{}
	for _, s := range suites {
		if !strings.HasPrefix(s.name, only) {
			continue
		}
		c, err := r.compare(s)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("| %s | %s | %s | %d |\n", s.name, c.ours.summary(), c.theirs.summary(), len(c.different))
		notes = append(notes, c.notes...)
		problems = append(problems, c.problems...)
		calls[s.name] = c.ours.calls
	}
	if verbose {
		fmt.Println("\n| suite | calls that went through Go |\n| --- | --- |")
		for _, s := range suites {
			var list []string
			for _, name := range slices.Sorted(maps.Keys(calls[s.name])) {
				list = append(list, fmt.Sprintf("%s %d", name, calls[s.name][name]))
			}
			if list != nil {
				fmt.Printf("| %s | %s |\n", s.name, strings.Join(list, ", "))
			}
		}
	}
	printList("Left out, different as expected, or different only once:", notes)
	printList("Problems:", problems)
	return problems != nil, nil
}

func printList(title string, lines []string) {
	if lines != nil {
		fmt.Printf("\n%s\n\n- %s\n", title, strings.Join(lines, "\n- "))
	}
}

// findPython returns a Python program that has its tests, and its version.
func findPython(program string) (interpreter, version string, err error) {
	for _, candidate := range slices.Compact([]string{cmp.Or(program, "python3"), cmp.Or(program, "/usr/bin/python3")}) {
		const ask = "import sys, platform, test.test_selectors, test.test_asyncio; print(platform.python_version(), sys.executable)"
		if out, err := exec.Command(candidate, "-c", ask).Output(); err == nil {
			version, interpreter, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
			return interpreter, version, nil
		}
	}
	return "", "", fmt.Errorf("found no Python that has its own tests: on Debian 12, install python3 and libpython3.11-testsuite")
}
