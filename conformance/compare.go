package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A runner runs tests in new processes of Python.
type runner struct {
	python  string
	script  string
	library string
	dir     string
}

// newRunner builds the bridge, in a directory for temporary files. Which Python runs the tests is up to the caller.
func newRunner(dir string) (*runner, error) {
	library := filepath.Join(dir, "pyselect.so")
	if out, err := exec.Command("go", "build", "-buildmode=c-shared", "-o", library, "./bridge").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	script, err := filepath.Abs("python/run.py")
	return &runner{script: script, library: library, dir: dir}, err
}

// results are what has come of one process.
type results struct {
	tests   map[string]result
	calls   map[string]int // in Go, by name
	handles int            // to what exists in Go, as Go counts them
	held    int            // the same as Python counts them
}

// summary returns the cells of the table: run, passed, skipped, failed.
func (r *results) summary() string {
	n := map[string]int{}
	for _, test := range r.tests {
		n[test.Outcome]++
	}
	all := len(r.tests)
	return fmt.Sprintf("%d | %d | %d | %d", all, n["passed"], n["skipped"], all-n["passed"]-n["skipped"])
}

func (r *results) callList() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.calls)) {
		list = append(list, fmt.Sprintf("%s %d", name, r.calls[name]))
	}
	return strings.Join(list, ", ")
}

type result struct {
	Outcome string
	Detail  string
}

const plain = "cpython"

// run runs tests, given by their names, until the end of all.
func (r *runner) run(mode string, names ...string) (*results, error) {
	dir, err := os.MkdirTemp(r.dir, mode)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "results")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.python, append([]string{"-B", r.script, mode, file}, names...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYSELECT_LIBRARY="+r.library)
	var output bytes.Buffer // a pipe, which tests wait for
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Minute // for what a test may have left running
	failure := cmd.Run()

	lines, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(failure, err), output.Bytes())
	}
	res := &results{tests: map[string]result{}}
	var started string
	for line := range bytes.Lines(lines) {
		var v struct {
			Started, Test string
			End           bool
			result
			Held, Handles int
			Calls         map[string]int
		}
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("results: %w", err)
		}
		switch {
		case v.End:
			res.calls, res.held, res.handles = v.Calls, v.Held, v.Handles
			return res, failure
		case v.Test != "":
			res.tests[v.Test] = v.result
		default:
			started = v.Started
		}
	}
	tail := output.Bytes()
	tail = tail[max(0, len(tail)-4000):]
	return nil, fmt.Errorf("%s ended at %s: %v\n%s", mode, started, failure, tail)
}

// both runs tests on plain CPython and with replaced modules, at the same time.
func (r *runner) both(mode string, names ...string) (theirs, ours *results, err error) {
	var wg sync.WaitGroup
	var theirErr error
	wg.Go(func() { theirs, theirErr = r.run(plain, names...) })
	ours, err = r.run(mode, names...)
	wg.Wait()
	if err == nil {
		err = theirErr
	}
	return theirs, ours, err
}

// A comparison is what has come of a suite.
type comparison struct {
	ours      *results
	theirs    *results
	different []string // tests
	notes     []string
	problems  []string
}

func (r *runner) compare(s suite) (*comparison, error) {
	c := &comparison{}
	names := strings.Fields(s.tests)
	for _, test := range slices.Sorted(maps.Keys(leftOut[s.name])) {
		names = append(names, "-"+test)
		c.notes = append(c.notes, fmt.Sprintf("%s is left out: %s", test, leftOut[s.name][test]))
	}
	theirs, ours, err := r.both(s.mode, names...)
	if err != nil {
		return nil, err
	}
	c.ours, c.theirs = ours, theirs
	for _, test := range union(theirs.tests, ours.tests) {
		if theirs.tests[test].Outcome != ours.tests[test].Outcome {
			c.different = append(c.different, test)
		}
	}
	unexplained := c.expect(s)
	if err := r.again(s, unexplained, c); err != nil {
		return nil, err
	}
	if len(ours.tests) == 0 {
		c.problems = append(c.problems, s.name+": there are no tests")
	}
	for _, call := range s.calls {
		if ours.calls[call] == 0 {
			c.problems = append(c.problems, fmt.Sprintf("%s: %s was never called in Go", s.name, call))
		}
	}
	if ours.handles != ours.held {
		c.problems = append(c.problems, fmt.Sprintf("%s: Go has %d handles, Python %d", s.name, ours.handles, ours.held))
	}
	return c, nil
}

// expect explains the differences that are expected, and returns the others.
func (c *comparison) expect(s suite) (unexplained []string) {
	reasons := expected[s.name]
	for _, test := range c.different {
		if reason := reasons[test]; reason != "" {
			c.notes = append(c.notes, fmt.Sprintf("%s: %s", test, reason))
		} else {
			unexplained = append(unexplained, test)
		}
	}
	for _, test := range slices.Sorted(maps.Keys(reasons)) {
		// Another version of Python may not have the test.
		if _, ok := c.theirs.tests[test]; ok && !slices.Contains(c.different, test) {
			c.problems = append(c.problems, fmt.Sprintf("%s: %s is as on plain CPython, but expected to differ", s.name, test))
		}
	}
	return unexplained
}

// again runs tests that differ three times more, without the others. One that does not differ then depends on the load of
// the machine; it is not a problem, but printed.
func (r *runner) again(s suite, tests []string, c *comparison) error {
	if tests == nil {
		return nil
	}
	different := map[string]string{} // by test, the details
	reactor := slices.DeleteFunc(strings.Fields(s.tests), func(name string) bool { return !strings.HasPrefix(name, "+") })
	for range 3 {
		theirs, ours, err := r.both(s.mode, slices.Concat(reactor, tests)...)
		if err != nil {
			return err
		}
		for _, test := range tests {
			a, b := theirs.tests[test], ours.tests[test]
			if a.Outcome != b.Outcome || a.Outcome == "" {
				different[test] = fmt.Sprintf("%q on plain CPython, %q here\n%s%s", a.Outcome, b.Outcome, a.Detail, b.Detail)
			}
		}
	}
	if seldom := len(tests) - len(different); seldom > 3 {
		c.problems = append(c.problems, fmt.Sprintf("%s: %d tests differ, but not when they run again, alone", s.name, seldom))
	}
	for _, test := range tests {
		if details, ok := different[test]; ok {
			c.problems = append(c.problems, fmt.Sprintf("%s: %s: %s", s.name, test, details))
			continue
		}
		first := fmt.Sprintf("%q on plain CPython, %q here", c.theirs.tests[test].Outcome, c.ours.tests[test].Outcome)
		c.notes = append(c.notes, fmt.Sprintf("%s: %s: %s, but the same three times again", s.name, test, first))
	}
	return nil
}

func union(a, b map[string]result) []string {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
