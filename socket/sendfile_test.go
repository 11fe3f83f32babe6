//go:build unix || windows

package socket_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func fileOf(t *testing.T, data string) *os.File {
	t.Helper()
	f := testkit.File(t)
	check(t, f.Truncate(0))
	must[int](t)(f.WriteString(data))
	must[int64](t)(f.Seek(0, io.SeekStart))
	return f
}

func TestSendfile(t *testing.T) {
	data := strings.Repeat("spam and eggs ", 1<<18)
	eachNetwork(t, func(t *testing.T, n network) {
		f := fileOf(t, data)
		for _, part := range []struct{ offset, count, want int64 }{
			{0, -1, int64(len(data))},
			{5, -1, int64(len(data) - 5)},
			{5, 1 << 21, 1 << 21},
			{int64(len(data) - 3), 100, 3},
			{int64(len(data)), -1, 0},
			{int64(len(data) + 100), -1, 0},
			{0, 0, 0},
		} {
			a, b := n.connect(t)
			call := testkit.Go(t, func() {
				if n, err := a.Sendfile(f, part.offset, part.count); n != part.want || err != nil {
					t.Errorf("sent %d bytes from %d, %v; want %d", n, part.offset, err, part.want)
				}
				check(t, a.Shutdown(socket.SHUT_WR))
			})
			got := must[[]byte](t)(io.ReadAll(b))
			call.Wait()
			if part.want > 0 && string(got) != data[part.offset:part.offset+part.want] {
				t.Errorf("received %d bytes, other ones than the %d sent", len(got), part.want)
			}
		}
		if position := must[int64](t)(f.Seek(0, io.SeekCurrent)); position != 0 {
			t.Errorf("the position of the file is %d now", position)
		}
	})
}

// As Send, Sendfile sends a part if the socket does not wait for ever.
func TestSendfilePart(t *testing.T) {
	testkit.NoLeaks(t)
	const size = tooMuch
	f := fileOf(t, string(make([]byte, size)))
	for _, timeout := range []time.Duration{0, 20 * time.Millisecond} {
		a, b := pair(t)
		check(t, a.Settimeout(timeout))
		sent := int64(0)
		for {
			n, err := a.Sendfile(f, sent, -1)
			if err != nil {
				if timeout == 0 {
					wantError(t, err, socket.ErrWouldBlock, "socket.sendfile")
				} else {
					wantError(t, err, os.ErrDeadlineExceeded, "socket.sendfile")
				}
				break
			}
			if n == 0 || n == size {
				t.Fatalf("sent %d bytes", n)
			}
			sent += n
		}
		if got := testkit.Drain(t, fileno(t, b)); int64(len(got)) != sent {
			t.Errorf("sent %d bytes, received %d", sent, len(got))
		}
	}
}

func TestSendfileEnds(t *testing.T) {
	testkit.NoLeaks(t)
	f := fileOf(t, string(make([]byte, tooMuch)))
	for name, test := range map[string]struct {
		end  func(a, b *socket.Socket) error
		want error
	}{
		"Close":            {func(a, _ *socket.Socket) error { return a.Close() }, os.ErrClosed},
		"the peer is gone": {func(_, b *socket.Socket) error { return b.Close() }, gone},
	} {
		a, b := pair(t)
		call := testkit.Go(t, func() {
			n, err := a.Sendfile(f, 0, -1)
			if wantError(t, err, test.want, "socket.sendfile"); n == 0 || n == tooMuch {
				t.Errorf("%s: %d bytes were sent", name, n)
			}
		}).Blocked()
		check(t, test.end(a, b))
		call.Wait()
	}
}

func TestSendfileErrors(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := pair(t)
	f := fileOf(t, "spam")
	_, err := a.Sendfile(nil, 0, -1)
	wantError(t, err, os.ErrInvalid, "socket.sendfile")
	_, err = a.Sendfile(f, -1, -1)
	wantError(t, err, os.ErrInvalid, "socket.sendfile", "-1")
	directory := must[*os.File](t)(os.Open(os.TempDir()))
	defer directory.Close()
	_, err = a.Sendfile(directory, 0, -1)
	if wantError(t, err, err, "socket.sendfile"); err == nil {
		t.Error("a directory has been sent")
	}
	check(t, f.Close())
	_, err = a.Sendfile(f, 0, -1)
	wantError(t, err, os.ErrClosed, "socket.sendfile")
	check(t, a.Close())
	_, err = a.Sendfile(nil, 0, -1)
	wantError(t, err, os.ErrClosed)
}
