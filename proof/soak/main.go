//go:build linux

// Command soak runs the example servers under load, side by side, each as a process of its own, and checks that nothing is lost
// and nothing leaks. It prints a table and fails if it finds something:
//
//	go run ./proof/soak -time 20m
//	go run ./proof/soak -time 1m -run 'ftp|https'
//
// The clients of a server are of five kinds. Good ones let it do all that it does, and get exactly the bytes that they should.
// So do slow ones, byte by byte and with pauses. Rude ones send what the server does not understand. Others vanish in the middle.
// And now and then comes a crowd of more clients than the server has descriptors, after which a good client is served again.
//
// After a tenth of the time, or a minute, all clients leave, and at the end again. Then the server has as many descriptors and
// goroutines as a fresh one, no child, hardly more threads and memory than the first time, and takes no processor time. It has
// logged nothing but that it has no descriptors.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	duration := flag.Duration("time", time.Minute, "load each server for this `DURATION`")
	pattern := flag.String("run", "", "run only the servers whose commands match `REGEXP`")
	seed := flag.Uint64("seed", rand.Uint64(), "what is random follows from `N`, as far as the order of events does not matter")
	flag.Parse()
	if *duration <= 0 {
		log.Fatalf("-time is %v, want more than 0", *duration)
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(*duration, wanted, *seed); err != nil {
		log.Fatal(err)
	}
}

func run(duration time.Duration, wanted *regexp.Regexp, seed uint64) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/", "github.com/pyselect/pyselect/examples/...")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w; run this in the repository", err)
	}
	services, err := services(dir)
	if err != nil {
		return err
	}

	log.Printf("seed %d", seed)
	var soaks []*soak
	var wg sync.WaitGroup
	for i, service := range services {
		if !wanted.MatchString(service.command) {
			continue
		}
		s := &soak{service: service, dir: dir, seed: seed + uint64(i)}
		soaks = append(soaks, s)
		wg.Go(func() { s.err = s.run(duration) })
	}
	wg.Wait()
	if len(soaks) == 0 {
		return fmt.Errorf("there is no server whose command matches %q", wanted)
	}

	var failures []error
	for _, s := range soaks {
		if s.err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.command, s.err))
		}
	}
	fmt.Print(table(soaks))
	return errors.Join(failures...)
}

func table(soaks []*soak) string {
	var t strings.Builder
	t.WriteString("| server | time | good clients | MiB that they and the slow got | slow, rude, vanishing | crowds " +
		"| descriptors, fresh → in the end | goroutines, fresh → in the end | threads, first → in the end " +
		"| resident MiB, first → in the end | CPU, idle | verdict |\n" +
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, s := range soaks {
		verdict := "**failed**"
		if s.err == nil {
			verdict = "passed"
		}
		fmt.Fprintf(&t, "| %s | %v | %d | %.2f | %d, %d, %d | %d | %d → %d | %d → %d | %d → %d | %.1f → %.1f | %.1f ms/s | %s |\n",
			s.command, s.time.Round(time.Second), s.clients[good].Load(), float64(s.received.Load())/(1<<20),
			s.clients[slow].Load(), s.clients[rude].Load(), s.clients[vanishing].Load(), s.clients[crowd].Load(),
			s.fresh.descriptors, s.end.descriptors, len(s.fresh.goroutines), len(s.end.goroutines), s.first.threads, s.end.threads,
			s.first.resident, s.end.resident, s.end.busy*1e3, verdict)
	}
	return t.String()
}
