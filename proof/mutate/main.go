// Mutate proves that the tests notice defects. It puts one deliberate defect after another into the code, by way of an overlay,
// so that no file changes, and runs the tests that have to fail then. The exit status is 1 if they pass. The defects are in
// defects.txt; they are in what runs on Linux. Run it in the root of the repository:
//
//	go run ./proof/mutate
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// timeout is how long tests may take. One that waits for what does not come, which is half a minute for each thing, says so itself.
const timeout = 2 * time.Minute

func main() {
	log.SetFlags(0)
	pattern := flag.String("run", "", "only defects whose file or name matches `REGEXP`")
	sample := flag.Int("sample", 1, "only every `N`th defect: others each day, all in N days")
	parallel := flag.Int("parallel", 1, "put `N` defects to the test at a time")
	flag.Parse()
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		log.Fatal(err)
	}
	if flag.NArg() > 0 || *sample < 1 || *parallel < 1 {
		flag.Usage()
		os.Exit(2)
	}
	all, err := defects(list)
	if err != nil {
		log.Fatal(err)
	}
	day := int(time.Now().Unix() / (24 * 60 * 60))
	var some []defect
	for i, d := range all {
		if wanted.MatchString(d.file+": "+d.name) && (i+day)%*sample == 0 {
			some = append(some, d)
		}
	}
	if len(some) == 0 {
		log.Fatal("there is no such defect")
	}
	fmt.Printf("%d of %d defects:\n", len(some), len(all))
	noticed, err := prove(some, *parallel)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d of %d noticed\n", noticed, len(some))
	if noticed < len(some) {
		os.Exit(1)
	}
}

// prove puts defects to the test, and returns how many of them are noticed.
func prove(some []defect, parallel int) (noticed int, err error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w", err)
	}
	root := string(bytes.TrimSpace(module))
	var wg sync.WaitGroup
	var mu sync.Mutex
	turns := make(chan struct{}, parallel)
	for _, d := range some {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			begin := time.Now()
			failure, failed := d.notice(root)
			mu.Lock()
			defer mu.Unlock()
			verdict := "NOT NOTICED"
			switch {
			case failed != nil:
				verdict, err = "ERROR", errors.Join(err, failed)
			case failure != "":
				verdict = failure
				noticed++
			}
			fmt.Printf("%3.0f s  %s: %s: %s\n", time.Since(begin).Seconds(), d.file, d.name, verdict)
		})
	}
	wg.Wait()
	return noticed, err
}

// notice returns which test fails with the defect first, or "" if all pass. Without it they have to pass in the same time.
func (d defect) notice(root string) (failure string, err error) {
	text, err := d.apply(root)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, d.file): changed}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	if output, ok := d.test(root); !ok {
		return "", fmt.Errorf("%s: without the defect:\n%s", d.name, output)
	}
	output, ok := d.test(root, "-count=1", "-overlay", overlay)
	switch {
	case ok && strings.Contains(output, "no tests to run"):
		return "", fmt.Errorf("%s: no test of %s matches %s", d.name, d.pkg, d.run)
	case ok:
		return "", nil
	}
	if failure = firstFailure(output); failure == "" {
		return "", fmt.Errorf("%s: no test fails, but\n%s", d.name, output)
	}
	return failure, nil
}

var (
	failed  = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)
	running = regexp.MustCompile(`running tests:\s+(\w+)`)
	fatal   = regexp.MustCompile(`(?m)^(?:panic|fatal error): .*`)
)

// firstFailure returns which test fails by the output of go test, or "" if something else is wrong.
func firstFailure(output string) string {
	if m := running.FindStringSubmatch(output); m != nil {
		return m[1] + " waits in vain"
	}
	if m := failed.FindStringSubmatch(output); m != nil {
		return m[1]
	}
	return fatal.FindString(output)
}

// test runs the tests that have to notice the defect.
func (d defect) test(root string, flags ...string) (output string, ok bool) {
	args := append([]string{"test", "-vet=off", "-failfast", "-timeout", timeout.String(), "-run", d.run}, flags...)
	cmd := exec.Command("go", append(args, d.pkg)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}
