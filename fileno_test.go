//go:build unix

package pyselect_test

import (
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

type (
	namedInt    int16
	namedUint   uint8
	filenoPlain struct{ fd int }
	filenoCall  struct{ call func() int }
	filenoError struct {
		fd  int
		err error
	}
	fdMethod     struct{ fd uintptr }
	intFileno    int                    // an integer that is not the descriptor
	intFd        int                    // likewise
	fileFileno   struct{ *os.File }     // Fileno against SyscallConn and Fd
	fileFd       struct{ *os.File }     // SyscallConn against Fd
	embeddedFile struct{ *os.File }     // methods of the file only
	embeddedConn struct{ net.Conn }     // an interface without SyscallConn
	connFileno   struct{ *net.UDPConn } // Fileno against SyscallConn
)

func (f filenoPlain) Fileno() int          { return f.fd }
func (f filenoCall) Fileno() int           { return f.call() }
func (f filenoError) Fileno() (int, error) { return f.fd, f.err }
func (f fdMethod) Fd() uintptr             { return f.fd }
func (i intFileno) Fileno() int            { return int(i) + 1 }
func (i intFd) Fd() uintptr                { return uintptr(i) + 2 }
func (fileFileno) Fileno() (int, error)    { return 51, nil }
func (fileFd) Fd() uintptr                 { return 52 }
func (connFileno) Fileno() int             { return 53 }

func TestFileno(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	f := file(t, r)
	client, _ := testkit.TCPPair(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	defer udp.Close()

	for _, test := range []struct {
		name string
		obj  any
		want int
	}{
		{"int", 7, 7},
		{"int8", int8(7), 7},
		{"int16", int16(7), 7},
		{"int32", int32(7), 7},
		{"int64", int64(7), 7},
		{"uint", uint(7), 7},
		{"uint8", uint8(7), 7},
		{"uint16", uint16(7), 7},
		{"uint32", uint32(7), 7},
		{"uint64", uint64(7), 7},
		{"uintptr", uintptr(7), 7},
		{"named int", namedInt(7), 7},
		{"named uint", namedUint(7), 7},
		{"zero", 0, 0},
		{"largest", int64(math.MaxInt32), math.MaxInt32},
		{"Fileno", filenoPlain{7}, 7},
		{"Fileno with error", filenoError{7, nil}, 7},
		{"Fd", fdMethod{7}, 7},
		{"pointer to one", &filenoPlain{7}, 7},
		{"*os.File", f, descriptor(t, f)},
		{"embedded *os.File", embeddedFile{f}, descriptor(t, f)},
		{"net.Conn", net.Conn(client), descriptor(t, client)},
		{"net.Listener", listener, descriptor(t, listener.(*net.TCPListener))},
		{"UDP", udp, descriptor(t, udp)},
		{"Fileno before the number", intFileno(7), 8},
		{"Fd before the number", intFd(7), 9},
		{"Fileno before SyscallConn and Fd", fileFileno{f}, 51},
		{"SyscallConn before Fd", fileFd{f}, descriptor(t, f)},
		{"Fileno before SyscallConn", connFileno{udp}, 53},
	} {
		t.Run(test.name, func(t *testing.T) {
			if fd, err := pyselect.Fileno(test.obj); fd != test.want || err != nil {
				t.Errorf("got %d, %v, want %d", fd, err, test.want)
			}
		})
	}
}

func TestFilenoErrors(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	open, closed := file(t, r), file(t, r)
	client, server := testkit.TCPPair(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	for _, c := range []io.Closer{closed, client, listener, udp} {
		check(t, c.Close())
	}
	errFileno := errors.New("no descriptor today")

	for _, test := range []struct {
		name string
		obj  any
		want error
		text string
	}{
		{"closed file", closed, os.ErrClosed, "*os.File"},
		{"closed connection", client, os.ErrClosed, "*net.TCPConn"},
		{"closed connection, as net calls it", client, net.ErrClosed, ""},
		{"closed listener", listener, os.ErrClosed, "*net.TCPListener"},
		{"closed UDP connection", udp, os.ErrClosed, "*net.UDPConn"},
		{"closed embedded file", embeddedFile{closed}, os.ErrClosed, "embeddedFile"},
		{"closed file with another Fd", fileFd{closed}, os.ErrClosed, "fileFd"},

		{"negative", -1, os.ErrInvalid, "-1"},
		{"negative int64", int64(math.MinInt64), os.ErrInvalid, ""},
		{"negative named", namedInt(-5), os.ErrInvalid, "-5"},
		{"too large", int64(1) << 31, os.ErrInvalid, "2147483648"},
		{"too large uint", uint32(1) << 31, os.ErrInvalid, "2147483648"},
		{"largest uint64", uint64(math.MaxUint64), os.ErrInvalid, ""},
		{"low half is a descriptor", int64(1)<<32 | 7, os.ErrInvalid, ""},
		{"Fd of something closed", fdMethod{^uintptr(0)}, os.ErrInvalid, "fdMethod"},
		{"Fileno negative", filenoPlain{-1}, os.ErrInvalid, ""},
		{"Fileno with error negative", filenoError{-1, nil}, os.ErrInvalid, ""},
		{"nil *os.File", (*os.File)(nil), os.ErrInvalid, "*os.File"},
		{"embedded nil *os.File", embeddedFile{}, os.ErrInvalid, "embeddedFile"},

		{"nil", nil, pyselect.ErrNotWaitable, "nil"},
		{"string", "7", pyselect.ErrNotWaitable, "string"},
		{"float", 7.0, pyselect.ErrNotWaitable, "float64"},
		{"bool", true, pyselect.ErrNotWaitable, "bool"},
		{"struct", struct{ fd int }{7}, pyselect.ErrNotWaitable, "struct { fd int }"},
		{"pointer to int", new(int), pyselect.ErrNotWaitable, "*int"},
		{"slice", []int{7}, pyselect.ErrNotWaitable, "[]int"},
		{"*tls.Conn", tls.Client(server, nil), pyselect.ErrNotWaitable, "*tls.Conn"},
		{"embedded interface", embeddedConn{server}, pyselect.ErrNotWaitable, "embeddedConn"},

		{"error of Fileno", filenoError{7, errFileno}, errFileno, "filenoError"},
		{"error of Fileno, closed", filenoError{7, net.ErrClosed}, os.ErrClosed, "filenoError"},
		{"error of Fileno, nested", filenoError{7, &os.PathError{Op: "fileno", Err: os.ErrClosed}}, os.ErrClosed, "fileno"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fd, err := pyselect.Fileno(test.obj)
			wantError(t, err, test.want, test.text)
			if fd != -1 {
				t.Errorf("descriptor is %d, want -1", fd)
			}
		})
	}
	if fd, err := pyselect.Fileno(tls.Client(server, nil).NetConn()); fd != descriptor(t, server) || err != nil {
		t.Errorf("NetConn of a *tls.Conn: %d, %v", fd, err)
	}
	if fd, err := pyselect.Fileno(open); fd != descriptor(t, open) || err != nil {
		t.Errorf("a file whose duplicate is closed: %d, %v", fd, err)
	}
}

func TestBlockingModeIsKept(t *testing.T) {
	for _, test := range []struct {
		name string
		take func(obj any) error
	}{
		{"Fileno", func(obj any) error {
			_, err := pyselect.Fileno(obj)
			return err
		}},
		{"Select", func(obj any) error {
			list := []any{obj}
			_, _, _, err := pyselect.Select(list, list, list, 0)
			return err
		}},
		{"Poll.Register", func(obj any) error {
			p := pyselect.NewPoll()
			if err := p.Register(obj, pyselect.POLLIN); err != nil {
				return err
			}
			_, err := p.Poll(0)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			blockingModes(t, test.take)
		})
	}
}
