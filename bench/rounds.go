//go:build linux

package main

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An impl is one of the implementations that are compared.
type impl string

const (
	inC     impl = "C"
	xsys    impl = "x/sys"
	cpython impl = "CPython"
	here    impl = "pyselect"
)

var impls = []impl{inC, xsys, cpython, here}

// A shape is how many descriptors are watched, and how many of these are ready.
type shape struct{ watched, ready int }

// A contestant is a work as one implementation does it.
type contestant struct {
	by   impl
	work string
	shape
}

// A sample is what one measurement yields: the nanoseconds and the allocations of one operation, or whatever else the work
// measures.
type sample struct{ value, more float64 }

func value(s sample) float64 { return s.value }
func more(s sample) float64  { return s.more }

// measure lets a process do the work.
func (b *bench) measure(c contestant) (sample, error) {
	args := []string{c.work, strconv.Itoa(c.watched), strconv.Itoa(c.ready), fmt.Sprint(b.sample.Seconds() * 1e3)}
	var cmd *exec.Cmd
	switch c.by {
	case inC:
		cmd = command(filepath.Join(b.dir, "c-bench"), args...)
	case cpython:
		cmd = command("python3", append([]string{"python/bench.py"}, args...)...)
	default:
		cmd = command(b.self, append([]string{"-worker", string(c.by)}, args...)...)
	}
	if b.procs > 0 {
		cmd.Env = append(cmd.Environ(), fmt.Sprint("GOMAXPROCS=", b.procs))
	}
	out, err := cmd.Output()
	var s sample
	if err == nil {
		_, err = fmt.Sscan(strings.TrimSpace(string(out))+" 0", &s.value, &s.more)
	}
	if err != nil {
		return s, fmt.Errorf("%s in %s: %w", c.work, c.by, err)
	}
	return s, nil
}

// compare measures the contestants in turn, round by round, and returns the samples of each.
func (b *bench) compare(contestants ...contestant) ([][]sample, error) {
	samples := make([][]sample, len(contestants))
	for range b.rounds {
		for i, c := range contestants {
			s, err := b.measure(c)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

// median returns the median of what get makes of the samples.
func median(samples []sample, get func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = get(s)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// ratio returns the median of the ratios within the rounds.
func ratio(a, b []sample) float64 {
	ratios := make([]sample, len(a))
	for i := range a {
		ratios[i].value = a[i].value / b[i].value
	}
	return median(ratios, value)
}

// number prints what was measured, with at least three digits.
func number(v float64) string {
	if v >= 100 {
		return count(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', 2-int(math.Log10(max(v, 1))), 64)
}

// count prints a whole number with commas between the thousands.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// A table is the part of the report that has one.
type table struct {
	intro string
	head  []string
	rows  strings.Builder
}

func (t *table) row(cells ...string) { fmt.Fprintf(&t.rows, "| %s |\n", strings.Join(cells, " | ")) }

// write writes the table, unless it is empty.
func (t *table) write(report *strings.Builder) {
	if t.rows.Len() == 0 {
		return
	}
	// What is measured is to the right.
	align := make([]string, len(t.head))
	for i, title := range t.head {
		align[i] = "---:"
		if i == 0 || title == "target" || title == "" {
			align[i] = "---"
		}
	}
	fmt.Fprintf(report, "%s\n\n| %s |\n| %s |\n%s\n", t.intro, strings.Join(t.head, " | "), strings.Join(align, " | "), t.rows.String())
}

// A verdict is what the targets of a row are, and which of them are missed.
type verdict struct{ targets, missed []string }

func (v *verdict) add(target string, met bool, of string) {
	v.targets = append(v.targets, target)
	if !met {
		v.missed = append(v.missed, of)
	}
}

// cells returns the last two cells of the row.
func (v verdict) cells() []string {
	result := "met"
	switch {
	case len(v.targets) == 0:
		result = ""
	case len(v.missed) == 0:
	case len(v.targets) == 1:
		result = "**not met**"
	default:
		result = "**not met**: " + strings.Join(v.missed, ", ")
	}
	return []string{strings.Join(v.targets, ", "), result}
}
