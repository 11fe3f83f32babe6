//go:build unix || windows

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A progress is a bar on a terminal, and otherwise a line for each tenth. It is complete when finish says so, and no sooner:
// bytes that are done may still be lost.
type progress struct {
	out         *os.File
	name        string
	suffix      string // of the lines before the last
	done, total int64
	shown       int64 // percent
	open        bool  // the cursor is behind a bar
}

func newProgress(name, suffix string) *progress {
	return &progress{out: os.Stderr, name: printable(name), suffix: suffix, shown: -1}
}

// printable returns a text as it may stand on a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return '?'
	}, text)
}

// A printableLog writes what is logged as it may stand on a terminal: it may have names that others have chosen.
type printableLog struct{ io.Writer }

func (w printableLog) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, printable(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// start says how many bytes there are.
func (p *progress) start(total int64) {
	p.done, p.total = 0, total
	p.add(0)
}

// add shows that n more bytes are done.
func (p *progress) add(n int64) {
	p.done += n
	if p.done < p.total {
		p.show(p.done*100/p.total, p.suffix)
	}
}

func (p *progress) finish() { p.show(100, "") }

func (p *progress) show(percent int64, suffix string) {
	if percent == p.shown {
		return
	}
	if width, ok := columns(p.out); ok {
		fmt.Fprint(p.out, "\r", bar(p.name, int(percent), width))
		p.open = true
	} else if p.shown < 0 || percent/10 != p.shown/10 {
		fmt.Fprintf(p.out, "%s: %d of %d bytes%s\n", p.name, p.done, p.total, suffix)
	}
	p.shown = percent
}

// close ends the line of the bar.
func (p *progress) close() {
	if p.open {
		fmt.Fprintln(p.out)
	}
}

// bar returns a bar that is less wide than a terminal: some go to the next line when the last column is filled.
func bar(name string, percent, columns int) string {
	if columns < 30 { // there is no room for a name
		return fmt.Sprintf("%3d%%", percent)
	}
	const rest = " [] 100%"
	room := columns - 1 - len(rest)
	name = cut(name, room-10)
	width := min(50, room-cells(name))
	return fmt.Sprintf("%s [%-*s] %3d%%", name, width, strings.Repeat("#", width*percent/100), percent)
}

// cut returns what of a name has room in so many cells.
func cut(name string, room int) string {
	if cells(name) <= room {
		return name
	}
	const dots = "..."
	for cells(name)+len(dots) > room {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return name + dots
}

// cells returns how many cells of a terminal a text takes at most: terminals do not agree on how wide a character is, but none
// is wider than two.
func cells(text string) (n int) {
	for _, r := range text {
		if n++; r > unicode.MaxASCII {
			n++
		}
	}
	return n
}
