//go:build linux

// Command bench measures the waits of this library beside the same work in C, with golang.org/x/sys/unix and in CPython,
// and an echo server on its selectors beside others. Run it in its folder, on a machine that does nothing else; it needs
// Go, cc and python3, and takes some minutes:
//
//	go run .
package main

import (
	"debug/buildinfo"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notes are on the results that are in the repository.
//
//go:embed notes.md
var notes string

// A bench is one run of the command.
type bench struct {
	quick  bool
	rounds int
	sample time.Duration // how long one measurement takes
	procs  int           // GOMAXPROCS of what measures, unless zero
	wanted *regexp.Regexp
	self   string // this program
	dir    string // the programs that have been built

	certificate string // the name of a file with one, and its key
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 7 && os.Args[1] == "-worker" {
		work(os.Args[2:])
		return
	}
	out := flag.String("out", "", "write results.md and waits.svg into `DIR`; the default is . for a complete run, otherwise nowhere")
	quick := flag.Bool("quick", false, "only check that everything runs")
	pattern := flag.String("run", "", "run only what matches `REGEXP`")
	flag.Parse()
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		log.Fatal(err)
	}
	if *out == "" && !*quick && *pattern == "" {
		*out = "."
	}
	b := &bench{quick: *quick, rounds: 10, sample: 100 * time.Millisecond, wanted: wanted}
	if *quick {
		b.rounds, b.sample = 1, 5*time.Millisecond
	}
	if err := b.run(*out); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(out string) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}

	var report strings.Builder
	if err := b.header(&report); err != nil {
		return err
	}
	if err := b.measureCalls(&report); err != nil {
		return err
	}
	if err := b.measureQuantities(&report); err != nil {
		return err
	}
	if err := b.measureCrowds(&report); err != nil {
		return err
	}
	if err := b.measureLateness(&report); err != nil {
		return err
	}
	if err := b.measureServers(&report); err != nil {
		return err
	}
	if err := b.measureTLS(&report); err != nil {
		return err
	}
	if err := b.measureLoops(&report); err != nil {
		return err
	}
	plot, err := b.measureWaits(&report)
	if err != nil {
		return err
	}
	fmt.Print(report.String())
	if out == "" {
		return nil
	}
	report.WriteString("\n" + notes)
	if err := os.WriteFile(filepath.Join(out, "results.md"), []byte(report.String()), 0o666); err != nil || plot == "" {
		return err
	}
	return os.WriteFile(filepath.Join(out, plotName), []byte(plot), 0o666)
}

// starts reports whether a part is wanted, and says that it begins.
func (b *bench) starts(format string, args ...any) bool {
	name := fmt.Sprintf(format, args...)
	if !b.wanted.MatchString(name) {
		return false
	}
	log.Print(name)
	return true
}

// build compiles the C programs and the servers in Go, and makes a certificate for these.
func (b *bench) build() error {
	if _, err := os.Stat("c"); err != nil {
		return fmt.Errorf("run this in the folder bench of the repository: %w", err)
	}
	for _, name := range []string{"bench", "echo", "load"} {
		err := command("cc", "-O2", "-Wall", "-pthread", "-o", filepath.Join(b.dir, "c-"+name), filepath.Join("c", name+".c")).Run()
		if err != nil {
			return fmt.Errorf("cc: %w", err)
		}
	}
	if err := command("go", "build", "-o", b.dir+"/", "./echo/...").Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	var err error
	b.certificate, err = newCertificate(b.dir)
	return err
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// header describes the machine, the versions and the method.
func (b *bench) header(report *strings.Builder) error {
	var system unix.Utsname
	if err := unix.Uname(&system); err != nil {
		return err
	}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	cc, err := firstLine("cc", "--version")
	if err != nil {
		return err
	}
	python, err := firstLine("python3", "--version")
	if err != nil {
		return err
	}
	libraries, err := b.libraries()
	if err != nil {
		return err
	}
	commit, err := firstLine("git", "describe", "--always", "--dirty")
	if err != nil {
		return err
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(system.Release[:]), "-") // without the name of the build
	model := "unknown processor"
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(cpu); m != nil {
		model = string(m[1])
	}
	fmt.Fprintf(report, `# Benchmarks

Obtained with `+"`go run .`"+` in this folder.

- Machine: %s, %d cores, Linux %s %s
- Versions: %s, %s, %s; %s; pyselect %s
- Rounds: %d; in each, every implementation does the same work in a process of its own, one after the other, for
  %v. A number is the median over the rounds, a ratio is the median of the ratios within each round.

`, model, runtime.NumCPU(), release, unix.ByteSliceToString(system.Machine[:]),
		runtime.Version(), cc, python, strings.Join(libraries, ", "), commit, b.rounds, b.sample)
	return nil
}

// libraries returns the versions of what the programs in Go compare with.
func (b *bench) libraries() ([]string, error) {
	var found []string
	for _, s := range servers {
		if s.module == "" {
			continue
		}
		info, err := buildinfo.ReadFile(filepath.Join(b.dir, s.name))
		if err != nil {
			return nil, err
		}
		for _, dep := range info.Deps {
			if dep.Path == s.module {
				found = append(found, dep.Path+" "+dep.Version)
			}
		}
	}
	return found, nil
}

func firstLine(name string, args ...string) (string, error) {
	out, err := command(name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}
