package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed defects.txt
var list string

// A defect is a change of one file that some test has to notice.
type defect struct {
	name     string
	file     string
	pkg, run string // the package whose tests have to notice it, and which of them
	old, new string // whole lines
}

// defects returns those of a list. The comment at the beginning of defects.txt says what it looks like.
func defects(list string) (all []defect, err error) {
	for block := range strings.SplitSeq(unix(list), "\n\n") {
		if block = strings.Trim(block, "\n"); block == "" || strings.HasPrefix(block, "#") {
			continue
		}
		d, err := parse(strings.Split(block, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", block, err)
		}
		all = append(all, d)
	}
	return all, nil
}

func parse(lines []string) (d defect, err error) {
	if len(lines) < 3 {
		return d, fmt.Errorf("%d lines, want a name, where it is, and the change", len(lines))
	}
	words := strings.Fields(lines[1])
	if len(words) != 3 {
		return d, fmt.Errorf("line %q, want FILE PACKAGE TESTS", lines[1])
	}
	d = defect{name: lines[0], file: words[0], pkg: words[1], run: words[2]}
	for _, line := range lines[2:] {
		text := line[1:] + "\n"
		switch line[0] {
		case ' ':
			d.old += text
			d.new += text
		case '-':
			d.old += text
		case '+':
			d.new += text
		default:
			return d, fmt.Errorf("line %q, want one that begins with a space, + or -", line)
		}
	}
	return d, nil
}

// apply returns the file with the defect. It is an error if the lines that it changes are not there exactly once.
func (d defect) apply(root string) (string, error) {
	data, err := os.ReadFile(filepath.Join(root, d.file))
	if err != nil {
		return "", err
	}
	text := "\n" + unix(string(data))
	switch n := strings.Count(text, "\n"+d.old); {
	case n != 1:
		return "", fmt.Errorf("%s: %d times in %s, want once:\n%s", d.name, n, d.file, d.old)
	case d.old == d.new:
		return "", fmt.Errorf("%s: changes nothing", d.name)
	}
	return strings.Replace(text, "\n"+d.old, "\n"+d.new, 1)[1:], nil
}

// unix returns a text with the ends of lines as they are in the repository. Git may have changed them on Windows.
func unix(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }
