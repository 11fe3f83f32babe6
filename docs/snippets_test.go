// Package docs tests that the Go snippets of the guides compile: each stands, word for word, in one of its test files.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

func TestSnippetsCompile(t *testing.T) {
	var code strings.Builder
	for _, path := range glob(t, "*_test.go") {
		code.WriteString(unindented(read(t, path)))
	}
	found := 0
	for _, path := range append(glob(t, "*.md"), "../README.md") {
		for _, block := range goBlock.FindAllStringSubmatch(read(t, path), -1) {
			found++
			if !strings.Contains(code.String(), "\n"+unindented(block[1])) {
				t.Errorf("%s: this is in no test of the folder:\n%s", path, block[1])
			}
		}
	}
	if found == 0 {
		t.Error("no snippets")
	}
}

// unindented removes what a snippet is indented by in a function, and with it all other indentation, which gofmt sees to.
func unindented(code string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(code, "")
}

func glob(t *testing.T, pattern string) []string {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

func read(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}
