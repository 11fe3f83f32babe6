//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

var (
	fileNames = []string{"empty", "small", "medium", "large"}
	fileSizes = []int{0, 1000, 70_000, 3_000_000}
)

// A site is the files that a web server serves.
type site map[string][]byte

func newSite(dir string) (site, error) {
	s := make(site)
	var err error
	for i, name := range fileNames {
		s[name] = bytes.Repeat([]byte("what stands in "+name+"\n"), fileSizes[i])[:fileSizes[i]]
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), s[name], 0o666))
	}
	return s, err
}

// browse is the job: some requests in a connection, which may come before others are answered.
func (s site) browse(c *conn) {
	r := bufio.NewReader(c)
	for left := 1 + c.IntN(8); left > 0 && c.err == nil; {
		var sent bytes.Buffer
		var requests []*http.Request
		for range 1 + c.IntN(left) {
			left--
			request := newRequest(c.client)
			request.Close = left == 0
			request.Write(&sent)
			requests = append(requests, request)
		}
		c.send(sent.Bytes())
		for _, request := range requests {
			if c.err == nil {
				c.err = s.check(c, r, request)
			}
		}
	}
	c.expectEnd(r)
}

func newRequest(c *client) *http.Request {
	file := c.IntN(len(fileNames))
	if c.slow {
		file = 1
	}
	request, _ := http.NewRequest("GET", "http://localhost/"+fileNames[file], nil)
	if c.IntN(8) == 0 {
		request.Method = "HEAD"
	}
	if size := fileSizes[file]; size > 0 && c.IntN(3) == 0 {
		first := c.IntN(size)
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, first+c.IntN(size-first)))
	}
	return request
}

// get returns a request as bytes.
func get(c *client) []byte {
	var p bytes.Buffer
	request := newRequest(c)
	request.Method = "GET"
	request.Write(&p)
	return p.Bytes()
}

// check receives the response to a request.
func (s site) check(c *conn, r *bufio.Reader, request *http.Request) error {
	response, err := http.ReadResponse(r, request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	status, want := http.StatusOK, s[request.URL.Path[1:]]
	if asked := request.Header.Get("Range"); asked != "" {
		var first, last int
		fmt.Sscanf(asked, "bytes=%d-%d", &first, &last)
		status, want = http.StatusPartialContent, want[first:last+1]
	}
	right := response.StatusCode == status && response.ContentLength == int64(len(want))
	if request.Method == "GET" {
		right = right && bytes.Equal(body, want)
		c.soak.received.Add(int64(len(body)))
	}
	if !right || err != nil {
		return fmt.Errorf("%s %s %v: got %s, %d bytes of %d, %v, want status %d with %d bytes",
			request.Method, request.URL, request.Header, response.Status, len(body), response.ContentLength, err, status, len(want))
	}
	return nil
}
