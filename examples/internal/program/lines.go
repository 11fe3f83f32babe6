//go:build unix || windows

package program

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FirstLine returns the first line of p, without its end.
func FirstLine(p []byte) []byte {
	line, _, _ := bytes.Cut(p, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// MaxLine is how many bytes a line of Lines has at most. A longer one becomes several, between two characters.
const MaxLine = 1024

// Lines make lines of text of bytes that come in pieces: these are what has come of a line that has not ended. Empty lines are
// left out. Control characters, which could do harm in a terminal, become spaces.
type Lines []byte

// Add adds bytes and returns the lines that end in them.
func (l *Lines) Add(p []byte) (ended []string) {
	for _, b := range p {
		if b == '\n' {
			ended = l.end(ended, len(*l))
			continue
		}
		*l = append(*l, b)
		if len(*l) == MaxLine {
			ended = l.end(ended, wholeRunes(*l))
		}
	}
	return ended
}

// End ends the last line and returns it, if there is one. What is there of a character that is not complete waits for the rest.
func (l *Lines) End() (ended []string) { return l.end(nil, wholeRunes(*l)) }

// end appends the first n bytes as a line.
func (l *Lines) end(ended []string, n int) []string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, string((*l)[:n]))
	*l = slices.Delete(*l, 0, n)
	if line = strings.TrimRight(line, " "); line != "" {
		ended = append(ended, line)
	}
	return ended
}

// wholeRunes returns how many bytes there are without the last character, if that is not complete.
func wholeRunes(p []byte) int {
	last := len(p) - 1
	for last > len(p)-utf8.UTFMax && last > 0 && !utf8.RuneStart(p[last]) {
		last--
	}
	if last < 0 || utf8.FullRune(p[last:]) {
		return len(p)
	}
	return last
}
