package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A code is the blocks of the library that have been reached.
type code map[string]bool

// keep adds to the seeds of the target what fuzzing has found, now or earlier, and what reaches code that they do not.
func (t *target) keep() (kept []string, err error) {
	dir, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	test := filepath.Join(dir, "test")
	if output, err := command(t.module, "test", "-c", "-cover", "-coverpkg", "github.com/pyselect/pyselect/...", "-o", test, t.pkg).Output(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, output)
	}
	folder, err := output(t.module, "list", "-f", "{{.Dir}}", t.pkg)
	if err != nil {
		return nil, err
	}
	cache, err := output(t.module, "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	found, err := inputs(filepath.Join(cache, "fuzz", filepath.FromSlash(t.pkg), t.name))
	if err != nil {
		return nil, err
	}
	seeds := filepath.Join(folder, "testdata", "fuzz", t.name)
	reached, err := reach(test, folder, "^"+t.name+"$")
	if err != nil {
		return nil, err
	}
	for _, input := range found {
		if err := write(filepath.Join(dir, "testdata", "fuzz", t.name, input.name), input.text); err != nil {
			return kept, err
		}
		more, err := reach(test, dir, "^"+t.name+"$/^"+regexp.QuoteMeta(input.name)+"$")
		if err != nil {
			return kept, err
		}
		before := len(reached)
		maps.Copy(reached, more)
		if len(reached) > before {
			kept = append(kept, filepath.Join(seeds, input.name))
			if err := write(kept[len(kept)-1], input.text); err != nil {
				return kept, err
			}
		}
	}
	return kept, nil
}

type input struct {
	name string
	text []byte
}

// inputs returns those in a folder, the shortest first.
func inputs(folder string) (all []input, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	for _, path := range paths {
		text, failed := os.ReadFile(path)
		err = errors.Join(err, failed)
		all = append(all, input{filepath.Base(path), text})
	}
	slices.SortStableFunc(all, func(a, b input) int { return cmp.Compare(len(a.text), len(b.text)) })
	return all, err
}

// reach runs tests in a folder and returns the code that they reach.
func reach(test, folder, pattern string) (code, error) {
	profile := test + ".out"
	cmd := programIn(folder, test, "-test.run", pattern, "-test.coverprofile", profile)
	if output, err := cmd.Output(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", pattern, err, output)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	reached := code{}
	for line := range strings.Lines(string(text)) {
		if block, count, _ := strings.Cut(line, " "); !strings.HasSuffix(strings.TrimSpace(count), " 0") {
			reached[block] = true
		}
	}
	return reached, nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}

func output(module string, args ...string) (string, error) {
	out, err := command(module, args...).Output()
	return strings.TrimSpace(string(out)), err
}
