// Fuzz runs every fuzz target of every module of this repository for a given time, as many side by side as there are processors,
// and prints a table of them. An input that fails is kept where go test looks for seeds. The exit status is 1 if there is one.
//
//	go run ./proof/fuzz -time 30m
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A target is a fuzz test, and what became of it.
type target struct {
	module, pkg, name string

	executions, inputs int // inputs are those that reach code that no other one does
	failed             bool
}

func main() {
	log.SetFlags(0)
	each := flag.Duration("time", time.Minute, "how long each target runs")
	pattern := flag.String("run", "", "run only the targets that match `REGEXP`, like selectors.FuzzEvent")
	atOnce := flag.Int("parallel", runtime.NumCPU(), "how many targets run side by side")
	corpus := flag.Bool("corpus", false, "add to the seeds what has been found and reaches code that they do not")
	flag.Parse()
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		log.Fatal(err)
	}
	if *each <= 10*time.Second {
		log.Fatalf("-time %v: want more than 10 s, after which Go says that an input hangs", *each)
	}
	targets, err := list(wanted)
	if err != nil {
		log.Fatal(err)
	}
	var wg sync.WaitGroup
	free := make(chan bool, max(*atOnce, 1))
	for _, t := range targets {
		free <- true
		wg.Go(func() {
			defer func() { <-free }()
			if output, err := t.fuzz(*each); err != nil {
				log.Printf("%v: %v\n%s", t, err, output)
			}
		})
	}
	wg.Wait()

	fmt.Printf("Each for %v, %d side by side:\n\n", *each, *atOnce)
	fmt.Println("| target | executions | in a second | inputs that reach different code | failed |")
	fmt.Println("| --- | ---: | ---: | ---: | --- |")
	for _, t := range targets {
		failed := ""
		if t.failed {
			failed = "**yes**"
		}
		fmt.Printf("| %v | %d | %.0f | %d | %s |\n", t, t.executions, float64(t.executions)/each.Seconds(), t.inputs, failed)
	}
	if *corpus {
		for _, t := range targets {
			if t.failed { // its seeds do, from now on
				continue
			}
			kept, err := t.keep()
			if err != nil {
				log.Printf("%v: %v", t, err)
				t.failed = true
			}
			log.Printf("%v: %d new seeds %v", t, len(kept), kept)
		}
	}
	if slices.ContainsFunc(targets, func(t *target) bool { return t.failed }) {
		os.Exit(1)
	}
}

func (t *target) String() string { return filepath.Base(t.pkg) + "." + t.name }

// list returns the targets of the modules in this folder and those below.
func list(wanted *regexp.Regexp) (targets []*target, err error) {
	modules, err := filepath.Glob("*/go.mod")
	if err != nil {
		return nil, err
	}
	for _, mod := range append([]string{"go.mod"}, modules...) {
		module := filepath.Dir(mod)
		output, err := command(module, "test", "-list", "^Fuzz", "./...").Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", module, err, output)
		}
		var names []string // of a package, whose path comes after them
		for line := range strings.Lines(string(output)) {
			fields := strings.Fields(line)
			if len(fields) == 1 {
				names = append(names, fields[0])
				continue
			}
			for _, name := range names {
				if t := (&target{module: module, pkg: fields[1], name: name}); wanted.MatchString(t.String()) {
					targets = append(targets, t)
				}
			}
			names = nil
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("there are no such fuzz targets in this folder: want the root of the repository")
	}
	return targets, nil
}

// outOfTime is how Go before 1.27 may end when the time is over: https://go.dev/issue/75804. It has no input that fails.
var outOfTime = regexp.MustCompile(`--- FAIL: \w+ \(.*\)\n    context deadline exceeded\nFAIL`)

var progress = regexp.MustCompile(`execs: (\d+).*\(total: (\d+)\)`)

// fuzz runs the target. To make an input small takes time that is better spent on others.
func (t *target) fuzz(d time.Duration) (output []byte, err error) {
	output, err = command(t.module, "test", t.pkg, "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", d.String(),
		"-parallel", "1", "-fuzzminimizetime", "10x", "-timeout", "0").Output()
	if outOfTime.Match(output) {
		err = nil
	}
	if all := progress.FindAllSubmatch(output, -1); len(all) > 0 {
		fmt.Sscan(string(bytes.Join(all[len(all)-1][1:], []byte(" "))), &t.executions, &t.inputs)
	} else if !bytes.Contains(output, []byte("gathering baseline coverage")) { // of all that it has found in earlier runs
		err = cmp.Or(err, errors.New("it has not run"))
	}
	t.failed = err != nil
	return output, err
}

func command(dir string, args ...string) *exec.Cmd { return programIn(dir, "go", args...) }

func programIn(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return cmd
}
