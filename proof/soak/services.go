//go:build linux

package main

import (
	"os"
	"path/filepath"
)

// A service is an example server, and what its clients do.
type service struct {
	command string
	args    []string // more of them
	tls     bool
	drops   bool // clients that are too slow, as it cannot wait for them

	job     func(c *conn)          // lets the server do all that it does, from the beginning of a connection to its end
	request func(c *client) []byte // something that clients send
	check   func() error           // whether nothing is left behind in the end, or nil
}

// services returns all services. Their files are in a directory.
func services(dir string) ([]*service, error) {
	files, uploads := filepath.Join(dir, "files"), filepath.Join(dir, "uploads")
	for _, dir := range []string{files, uploads} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			return nil, err
		}
	}
	site, err := newSite(files)
	if err != nil {
		return nil, err
	}
	if err := os.Link(filepath.Join(files, "large"), filepath.Join(uploads, "large")); err != nil {
		return nil, err
	}
	return []*service{
		{command: "echo", job: echo(same), request: someBytes},
		{command: "queueserver", job: echo(upper), request: someBytes},
		{command: "reactor", job: echo(same), request: someBytes},
		{command: "pollserver", job: greet, request: someBytes},
		{command: "httpepoll", job: hello, request: get},
		{command: "socketserver", job: consult, request: questions},
		{command: "socketserver -mode forking", job: consult, request: questions},
		{command: "static", args: []string{"-root", files}, job: site.browse, request: get},
		{command: "https", args: []string{"-root", files}, tls: true, job: site.browse, request: get},
		{
			command: "ftp serve", args: []string{"-dir", uploads, "-overwrite"}, job: transfer, request: anOrder,
			check: func() error { return nothingUnfinished(uploads) },
		},
		{command: "chat", args: []string{"-pause", "0"}, drops: true, job: chat, request: someLines},
	}, nil
}
