//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
)

// transfer is the job: a file goes there and comes back, whole or in pieces.
func transfer(c *conn) {
	for range 1 + c.IntN(3) {
		name, data, whole := fmt.Sprintf("file %d", c.number), c.bytes(c.size()), c.IntN(2)
		c.order("put", name, len(data))
		c.expect([]byte("OK"))
		c.send(data)
		c.order("get", name, whole)
		c.expect(fmt.Appendf(nil, "YES|%d", len(data)))
		for len(data) > 0 {
			piece := data
			if whole == 0 {
				piece = data[:min(len(data), 1024)]
			}
			c.sendAtOnce([]byte("OK"))
			c.expect(piece)
			data = data[len(piece):]
		}
	}
	c.CloseWrite()
	c.expectEnd(c)
}

// order sends a command, the number of which must not come in pieces.
func (c *conn) order(command, name string, number int) {
	c.send(fmt.Appendf(nil, "%s|%s|", command, name))
	c.sendAtOnce(fmt.Appendf(nil, "%d\n", number))
}

// anOrder returns a command and what follows it, more or less.
func anOrder(c *client) []byte {
	if c.IntN(2) == 0 {
		return fmt.Appendf(nil, "put|unfinished|%d\n%s", 1+c.size(), c.bytes(c.size()))
	}
	return []byte("get|large|1\nOK")
}

// nothingUnfinished checks that of uploads that were not complete nothing stays.
func nothingUnfinished(dir string) error {
	parts, err := filepath.Glob(filepath.Join(dir, ".ftp-*"))
	return errors.Join(err, failure(len(parts) > 0, "the parts of uploads stay: %q", parts))
}
