//go:build linux

package main

import "bytes"

// echo returns the job of a server that sends back what it receives, but for a transformation.
func echo(answer func([]byte) []byte) func(c *conn) {
	return func(c *conn) {
		for range c.IntN(8) {
			message := c.bytes(c.IntN(100))
			c.send(message)
			c.expect(answer(message))
		}
		// Who has sent all still gets all.
		message := c.bytes(c.size())
		go func() {
			c.Write(message)
			c.CloseWrite()
		}()
		c.expect(answer(message))
		c.expectEnd(c)
	}
}

func same(p []byte) []byte { return p }

// upper knows the letters of ASCII only.
func upper(p []byte) []byte {
	p = bytes.Clone(p)
	for i, b := range p {
		if 'a' <= b && b <= 'z' {
			p[i] = b - 'a' + 'A'
		}
	}
	return p
}

func someBytes(c *client) []byte { return c.bytes(1 + c.size()) }

// consult is the job of socketserver, for which a request is what one recv returns.
func consult(c *conn) {
	c.expect([]byte("Welcome. Send 0 for an operator, exit to leave.\n"))
	for range c.IntN(10) {
		var answers []byte
		questions := questions(c.client)
		for line := range bytes.Lines(questions) {
			if string(line) == "0\n" {
				answers = append(answers, "This call may be recorded.\n"...)
			} else {
				answers = append(answers, "Please try again.\n"...)
			}
		}
		c.sendAtOnce(questions)
		c.expect(answers)
	}
	c.sendAtOnce([]byte("exit"))
	c.expectEnd(c)
}

func questions(c *client) (p []byte) {
	for range 1 + c.IntN(50) {
		p = append(p, []string{"0\n", "1\n", "Who is there?\n"}[c.IntN(3)]...)
	}
	return p
}

// greet is the job of pollserver, which has one answer, and does not wait long for who does not close the connection then.
func greet(c *conn) {
	c.sendAtOnce(c.bytes(1 + c.IntN(1000)))
	c.expect([]byte("hello world"))
	c.expectEnd(c)
}

// hello is the job of httpepoll, which has one answer, too.
func hello(c *conn) {
	c.send(get(c.client))
	c.expect([]byte("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!"))
	c.expectEnd(c)
}
