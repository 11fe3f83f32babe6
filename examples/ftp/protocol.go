//go:build unix || windows

package main

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

const (
	pieceSize = 1024    // of downloads, part of the protocol
	maxHead   = 1024    // bytes of a command or an answer
	maxSize   = 1 << 40 // bytes of a file
)

var (
	commands   = []string{"put|", "get|"}
	aCommand   = regexp.MustCompile(`^(put|get)\|([^|]*)\|([0-9]+)(\r?\n|$)`)
	halfOfOne  = regexp.MustCompile(`^(p|pu|g|ge|(put|get)(\|[^|]*(\|([0-9]+\r)?)?)?)?$`)
	anAnswer   = regexp.MustCompile(`^(YES|NO)\|([0-9]+)$`)
	halfAnswer = regexp.MustCompile(`^(Y|YE|N|(YES|NO)\|?)?$`)
)

var (
	errIncomplete    = errors.New("incomplete")
	errNotUnderstood = errors.New("not understood")
)

// parseCommand returns the fields of a command and what follows it. The error is errIncomplete or errNotUnderstood.
func parseCommand(head []byte) (command, name string, size int64, rest []byte, err error) {
	fields := aCommand.FindSubmatch(head)
	if fields == nil {
		return "", "", 0, nil, unparsed(head, halfOfOne)
	}
	size, err = parseSize(fields[3])
	return string(fields[1]), string(fields[2]), size, head[len(fields[0]):], err
}

// parseAnswer returns the fields of the answer to get. The error is errIncomplete or errNotUnderstood.
func parseAnswer(head []byte) (found bool, size int64, err error) {
	fields := anAnswer.FindSubmatch(head)
	if fields == nil {
		return false, 0, unparsed(head, halfAnswer)
	}
	size, err = parseSize(fields[2])
	return string(fields[1]) == "YES", size, err
}

func unparsed(head []byte, half *regexp.Regexp) error {
	if len(head) < maxHead && half.Match(head) {
		return errIncomplete
	}
	return errNotUnderstood
}

func parseSize(digits []byte) (int64, error) {
	size, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || size > maxSize {
		return 0, errNotUnderstood
	}
	return size, nil
}

// fromCommand returns data from the first byte on that may begin a command.
func fromCommand(data []byte) []byte {
	for i := range data {
		for _, c := range commands {
			if n := min(len(c), len(data)-i); string(data[i:i+n]) == c[:n] {
				return data[i:]
			}
		}
	}
	return nil
}

// countMessages returns how many messages data is, which one recv has returned: as many as there are OKs, the last of which may
// be half of one, or else one. The first may be the other half of the last one before.
func countMessages(data []byte, afterHalf bool) (n int64, half bool) {
	if afterHalf {
		data = bytes.TrimPrefix(data, []byte("K"))
	}
	oks := (len(data) + 1) / 2
	if !bytes.HasPrefix(bytes.Repeat([]byte("OK"), oks), data) {
		return 1, false
	}
	return int64(oks), len(data)%2 != 0
}

// validName reports whether a name is that of a file in a directory.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, `/\|`) &&
		!strings.ContainsFunc(name, unicode.IsControl)
}
