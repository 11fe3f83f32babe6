//go:build linux

package differential

import (
	"bufio"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

const enough = 300 // programs, to see everything

var (
	programs = flag.Int("programs", enough, "how many random programs to run")
	seed     = flag.Uint64("seed", 1, "of the first program; each has the next")
)

//go:embed peer.py
var peer string

// A python is a process that runs peer.py.
type python struct {
	t       testing.TB
	process *os.Process
	in      io.Writer
	out     *bufio.Reader
}

func startPython(t testing.TB) *python {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil || exec.Command(path, "-c", "import os; os.eventfd").Run() != nil {
		t.Skip("there is no Python 3.10 or newer")
	}
	cmd := exec.Command(path, "-I", "-c", peer)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", cmd.Path, err)
		}
	})
	return &python{t, cmd.Process, in, bufio.NewReader(out)}
}

func (p *python) send(line string) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("python: %v: %v", line, err)
	}
}

func (p *python) receive() string {
	defer time.AfterFunc(testkit.Patience, func() { p.process.Kill() }).Stop()
	answer, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("python: %v", err)
	}
	return strings.TrimSuffix(answer, "\n")
}

// A tally counts what was seen: operations and kinds of errors in steps whose answers agree, and differences.
type tally map[string]int

// run runs a program on both sides. If their answers differ in a way that is not intended, it returns those to all steps so
// far.
func run(t testing.TB, p *python, program []step, seen tally) (failure []string) {
	t.Helper()
	m, err := newMachine()
	if err != nil {
		t.Fatal(err)
	}
	defer m.end(t)
	ask := func(line string) string { p.send(line); return p.receive() }
	ask("reset")

	var trace []string
	for _, s := range program {
		p.send(s.String())
		c := &comparison{machine: m, step: s, got: m.do(s)}
		c.want = p.receive()
		trace = append(trace, fmt.Sprintf("%-50s %v", s, c.got))

		i := slices.IndexFunc(differences, func(d difference) bool { return d.applies(c) })
		if i < 0 {
			if !c.agree() || c.rebuilt { // for no reason
				return append(trace, "Python: "+c.want)
			}
			seen.agreed(c)
			continue
		}
		d := &differences[i]
		seen["difference: "+d.name]++
		if d.ends {
			break
		}
		if d.repair == nil {
			continue
		}
		for _, line := range d.repair(c) {
			if answer := ask(line); answer != "ok" {
				t.Fatalf("%s\nrepair: %s: %s", strings.Join(trace, "\n"), line, answer)
			}
		}
		keys := step{op: s.owner() + ".keys"}
		c = &comparison{machine: m, step: keys, want: ask(keys.String()), got: m.do(keys)}
		if !c.agree() {
			return append(trace, fmt.Sprintf("%-50v %v", keys, c.got), "Python: "+c.want)
		}
	}
	return nil
}

func (seen tally) agreed(c *comparison) {
	seen[c.step.op]++
	if kind, failed := strings.CutPrefix(c.want, "!"); failed {
		seen["error: "+kind]++
	} else if c.want != "ok" && c.want != "" && c.want != "r= w= x=" {
		seen[c.step.op+" with a result"]++
	}
}

// shrink drops the steps that a failure does not need.
func shrink(t testing.TB, p *python, program []step) []step {
	t.Helper()
	for size := len(program) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(program); {
			shorter := slices.Delete(slices.Clone(program), i, i+size)
			if run(t, p, shorter, tally{}) != nil {
				program = shorter
			} else {
				i += size
			}
		}
	}
	return program
}

// check runs a program and fails the test with a program as short as possible if the answers differ.
func check(t testing.TB, p *python, program []step, seen tally, what string) {
	t.Helper()
	if run(t, p, program, seen) == nil {
		return
	}
	program = shrink(t, p, program)
	t.Fatalf("%s:\n%s", what, strings.Join(run(t, p, program, tally{}), "\n"))
}

// What must have been seen in steps whose answers agree, so that the test is not empty.
var (
	operations = strings.Fields(`
		pipe socketpair file null directory eventfd dup close closefd write oob drain fill shutdown select
		poll.register poll.modify poll.unregister poll.poll
		epoll.register epoll.modify epoll.unregister epoll.poll epoll.close epoll.closed epoll.fileno
		EpollSelector.fileno`)
	selectorMethods = strings.Fields("register modify unregister select get_key keys close")
	errnos          = []syscall.Errno{unix.EBADF, unix.EPERM, unix.EEXIST, unix.ENOENT, unix.EINVAL, unix.EPIPE}
)

func (seen tally) check(t *testing.T) {
	want := slices.Clone(operations)
	want = append(want, "select with a result", "poll.poll with a result", "epoll.poll with a result")
	for _, sel := range []string{"SelectSelector", "PollSelector", "EpollSelector"} {
		for _, method := range selectorMethods {
			want = append(want, sel+"."+method)
		}
		want = append(want, sel+".select with a result", sel+".keys with a result")
	}
	for kind := range kinds {
		if kind != "timeout" { // of sockets
			want = append(want, "error: "+kind)
		}
	}
	for _, errno := range errnos {
		want = append(want, fmt.Sprintf("error: errno%d", errno))
	}
	for _, what := range want {
		if seen[what] == 0 {
			t.Errorf("no step has compared %q", what)
		}
	}
}

func (seen tally) log(t *testing.T) {
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%8d %s", seen[what], what)
	}
}

func TestDifferential(t *testing.T) {
	testkit.NoLeaks(t)
	p := startPython(t)
	seen := tally{}
	for i := range uint64(*programs) {
		check(t, p, generator(choice.program).random(*seed+i), seen, fmt.Sprintf("seed %d", *seed+i))
	}
	if *programs >= enough {
		seen.check(t)
	}
	seen.log(t)
}

// Each difference that is tolerated exists.
func TestDifferences(t *testing.T) {
	p := startPython(t)
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			seen := tally{}
			check(t, p, parse(d.example), seen, d.name)
			if seen["difference: "+d.name] == 0 {
				t.Error("not seen")
			}
		})
	}
}

func FuzzDifferential(f *testing.F) {
	p := startPython(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, p, generator(choice.program).fromBytes(data), tally{}, "the fuzzer's program")
	})
}
