//go:build unix || windows

package program_test

import (
	"strings"
	"testing"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/testkit"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", program.MaxLine)
	for _, test := range []struct {
		pieces     []string
		lines, end []string
	}{
		{[]string{""}, nil, nil},
		{[]string{"\n \r\n\n"}, nil, nil},
		{[]string{"one\r\ntwo\nth", "ree\n"}, []string{"one", "two", "three"}, nil},
		{[]string{"one\ntwo"}, []string{"one"}, []string{"two"}},
		{[]string{"Gr\xc3", "\xb6ße\n"}, []string{"Größe"}, nil},
		{[]string{"Gr\xc3"}, nil, []string{"Gr"}},
		{[]string{"\xc3"}, nil, nil},
		{[]string{"\x96\x96"}, nil, []string{"\ufffd\ufffd"}},
		{[]string{"a\x1b[2Jb\tc\n"}, []string{"a [2Jb c"}, nil},
		{[]string{long, "x\n"}, []string{long, "x"}, nil},
		{[]string{long[2:], "€\n"}, []string{long[2:], "€"}, nil},
	} {
		var l program.Lines
		var lines []string
		for _, piece := range test.pieces {
			lines = append(lines, l.Add([]byte(piece))...)
		}
		testkit.Equal(t, "lines", lines, test.lines...)
		testkit.Equal(t, "the end", l.End(), test.end...)
	}
}
