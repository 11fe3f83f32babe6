//go:build unix || windows

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
)

// typeLines writes lines to a program.
func typeLines(t *testing.T, p *progtest.Program, lines ...string) {
	t.Helper()
	_, err := io.WriteString(p.Stdin, strings.Join(lines, "\n")+"\n")
	check(t, err)
}

// awaitLine reads until a line that ends so.
func awaitLine(t *testing.T, r *bufio.Reader, end string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no line ends with %q: %v", end, err)
		}
		if strings.HasSuffix(line, end+"\n") {
			return
		}
	}
}

// A shell does line by line what a pipe says, and goes on after what fails.
func TestShell(t *testing.T) {
	here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
	write(t, here, "a", []byte("some bytes"))
	write(t, here, "empty", nil)
	check(t, os.Mkdir(filepath.Join(here, "sub"), 0o777))
	server, addr := start(t, there)
	shell := progtest.Start(t, "shell", "-connect", addr, "-upload", here, "-download", back)
	typeLines(t, shell, "put missing", "put a empty", "put a", "", "get missing", "get empty a", "get a",
		"put ../a", "put", "delete a", "ls", "help")
	check(t, shell.Stdin.Close())
	status, stdout, stderr := shell.End(t)
	if want := fmt.Sprintf("%12d a\n%12d empty\n%s", 10, 0, shellHelp); status != 0 || stdout != want {
		t.Errorf("status %d, stdout %q, want %q", status, stdout, want)
	}
	_, statFails := os.Stat(filepath.Join(here, "missing"))
	want := []string{
		fmt.Sprintf("ftp: %v", statFails),
		"a: 0 of 10 bytes sent",
		"a: 10 of 10 bytes",
		"empty: 0 of 0 bytes",
		"ftp: a: " + addr + ": the server has refused the file: it may have one of that name",
		"ftp: missing: " + addr + ": the server has no such file",
		"empty: 0 of 0 bytes",
		"a: 0 of 10 bytes",
		"a: 10 of 10 bytes",
		"ftp: a exists, and there is no -overwrite",
		fmt.Sprintf("ftp: %q is no name of a file in %s", "../a", here),
		"ftp: no file is named",
		`ftp: unknown command "delete"; there is help`,
		"",
	}
	if want := strings.Join(want, "\n"); stderr != want {
		t.Errorf("stderr is\n%s\nwant\n%s", stderr, want)
	}
	for _, name := range []string{"a", "empty"} {
		for _, dir := range []string{there, back} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

// Downloads share a connection. When the server has ended it, there is another one.
func TestShellReconnects(t *testing.T) {
	there, back := testkit.TempDir(t), testkit.TempDir(t)
	for _, name := range []string{"a", "b", "c"} {
		write(t, there, name, []byte(name))
	}
	server, addr := start(t, there, "-v")
	shell := progtest.Start(t, "shell", "-connect", addr, "-download", back)
	typeLines(t, shell, "get a", "get b")
	awaitLine(t, shell.Stderr, "b: 1 of 1 bytes")
	server.Signal(t, os.Interrupt)
	if _, _, stderr := server.End(t); strings.Count(stderr, "connected") != 1 {
		t.Errorf("the server says %q", stderr)
	}
	server = progtest.Start(t, "serve", "-listen", addr, "-dir", there)
	server.Line(t)
	typeLines(t, shell, "get c", "quit")
	if status, _, stderr := shell.End(t); status != 0 || !strings.HasSuffix(stderr, "c: 1 of 1 bytes\n") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	server.Stop(t, os.Interrupt)
}

// An interrupt ends a shell that waits for a line, or for the server.
func TestShellInterrupted(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t))
	here := testkit.TempDir(t)
	write(t, here, "file", nil)
	shell := progtest.Start(t, "shell", "-connect", addr, "-upload", here)
	typeLines(t, shell, "put file")
	awaitLine(t, shell.Stderr, "file: 0 of 0 bytes")
	shell.Stop(t, os.Interrupt)
	server.Stop(t, os.Interrupt)
}

// A line may be long, and names may have blanks.
func TestShellLines(t *testing.T) {
	testkit.NotOnWine(t, removesNone)
	here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
	write(t, here, "two words", []byte("data"))
	server, addr := start(t, there)
	shell := progtest.Start(t, "shell", "-connect", addr, "-upload", here, "-download", back)
	typeLines(t, shell, strings.Repeat("x", 100_000))
	_, err := io.WriteString(shell.Stdin, "put \"two words\"\nget \"two words\" missing")
	check(t, err)
	check(t, shell.Stdin.Close())
	status, _, stderr := shell.End(t)
	last := "ftp: missing: " + addr + ": the server has no such file\nftp: 1 of 2 files failed\n"
	if status != 0 || !strings.HasSuffix(stderr, last) {
		t.Errorf("status %d, stderr %.1000q, want %q", status, stderr, last)
	}
	holds(t, there, "two words", []byte("data"))
	holds(t, back, "two words", []byte("data"))
	server.Stop(t, os.Interrupt)
}

func TestWords(t *testing.T) {
	for line, words := range map[string][]string{
		"":                        nil,
		" put  a b\r\n":           {"put", "a", "b"},
		`put "two words" "" b`:    {"put", "two words", "", "b"},
		`put half" "half of it b`: {"put", `half"`, `"half`, "of", "it", "b"},
	} {
		testkit.Equal(t, line, splitWords(line), words...)
	}
}
