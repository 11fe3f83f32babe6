//go:build linux

package main

import (
	"bufio"
	"fmt"
	"strings"
)

// chat is the job: one client speaks, and another one hears it, among what others say.
func chat(c *conn) {
	listener, err := c.dial()
	if err != nil {
		c.err = err
		return
	}
	defer listener.Close()
	c.hear(c, listener.LocalAddr().String(), " has joined\n")
	var heard []string
	for range c.IntN(20) {
		line := fmt.Sprintf("%x\n", c.bytes(1+c.IntN(100)))
		c.send([]byte(line))
		heard = append(heard, ": "+line)
	}
	c.CloseWrite()
	c.hear(listener, c.LocalAddr().String(), append(heard, " has left: hung up\n")...)
}

// hear waits until a listener has heard all that it should hear of somebody, and nothing else of them before that.
func (c *conn) hear(listener *conn, name string, want ...string) {
	r := bufio.NewReader(listener)
	for len(want) > 0 && c.err == nil {
		line, err := r.ReadString('\n')
		if err != nil {
			c.err = fmt.Errorf("waiting for %s%q: %w", name, want[0], err)
		} else if news, of := strings.CutPrefix(line, name); of && strings.Contains(": ", news[:1]) {
			if news != want[0] {
				c.err = fmt.Errorf("got %q, want %s%q", line, name, want[0])
			}
			c.soak.received.Add(int64(len(line)))
			want = want[1:]
		}
	}
}

func someLines(c *client) []byte {
	return fmt.Appendf(nil, "%x\n%x", c.bytes(c.IntN(500)), c.bytes(c.IntN(1000)))
}
