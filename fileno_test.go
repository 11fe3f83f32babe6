//go:build unix

package pyselect_test

import (
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

type (
	namedInt     int
	namedInt16   int16
	namedInt32   int32
	namedUintptr uintptr
	filenoPlain  struct{ fd int }
	filenoCall   struct{ call func() int }
	filenoError  struct {
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
		{"int32", int32(7), 7},
		{"uintptr", uintptr(7), 7},
		{"named int", namedInt(7), 7},
		{"named int32", namedInt32(7), 7},
		{"named uintptr", namedUintptr(7), 7},
		{"zero", 0, 0},
		{"largest", uintptr(math.MaxInt32), math.MaxInt32},
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
		{"negative int32", int32(math.MinInt32), os.ErrInvalid, "-2147483648"},
		{"negative named", namedInt(-5), os.ErrInvalid, "-5"},
		{"too large", uintptr(1) << 31, os.ErrInvalid, "2147483648"},
		{"too large named", namedUintptr(1 << 31), os.ErrInvalid, "2147483648"},
		{"largest", ^uintptr(0), os.ErrInvalid, ""},
		{"Fd of something closed", fdMethod{^uintptr(0)}, os.ErrInvalid, "fdMethod"},
		{"Fileno negative", filenoPlain{-1}, os.ErrInvalid, ""},
		{"Fileno with error negative", filenoError{-1, nil}, os.ErrInvalid, ""},
		{"nil *os.File", (*os.File)(nil), os.ErrInvalid, "*os.File"},
		{"embedded nil *os.File", embeddedFile{}, os.ErrInvalid, "embeddedFile"},
		{"nil *Poll", (*pyselect.Poll)(nil), os.ErrInvalid, "*pyselect.Poll"},
		{"nil pointer with Fileno", (*filenoPlain)(nil), os.ErrInvalid, "filenoPlain"},
		{"nil pointer with Fileno with error", (*filenoError)(nil), os.ErrInvalid, "filenoError"},
		{"nil pointer with Fd", (*fdMethod)(nil), os.ErrInvalid, "fdMethod"},
		{"nil pointer to an int", (*int)(nil), os.ErrInvalid, "*int"},

		{"nil", nil, pyselect.ErrNotWaitable, "fileno: <nil>"},
		{"string", "7", pyselect.ErrNotWaitable, "string"},
		{"float", 7.0, pyselect.ErrNotWaitable, "float64"},
		{"bool", true, pyselect.ErrNotWaitable, "bool"},
		{"time.Duration", 5 * time.Second, pyselect.ErrNotWaitable, "time.Duration"},
		{"os.FileMode", os.FileMode(0o644), pyselect.ErrNotWaitable, "fs.FileMode"},
		{"byte", byte(7), pyselect.ErrNotWaitable, "uint8"},
		{"named int16", namedInt16(7), pyselect.ErrNotWaitable, "namedInt16"},
		{"int64", int64(7), pyselect.ErrNotWaitable, "int64"},
		{"uint", uint(7), pyselect.ErrNotWaitable, "uint"},
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

// Fileno takes every number of the types that it takes for what it is, and none of another type.
func FuzzFileno(f *testing.F) {
	for _, v := range []uint64{
		0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 65536, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32, 1 << 32, 1<<32 + 5,
		math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64,
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v uint64) {
		signed := func(obj any, v int64) {
			t.Helper()
			wantFileno(t, obj, uint64(v), v >= 0 && v <= math.MaxInt32)
		}
		unsigned := func(obj any, v uint64) {
			t.Helper()
			wantFileno(t, obj, v, v <= math.MaxInt32)
		}
		signed(int(v), int64(int(v)))
		signed(int32(v), int64(int32(v)))
		signed(namedInt(v), int64(namedInt(v)))
		signed(namedInt32(v), int64(namedInt32(v)))
		signed(filenoPlain{int(v)}, int64(int(v)))
		signed(filenoError{int(v), nil}, int64(int(v)))
		unsigned(uintptr(v), uint64(uintptr(v)))
		unsigned(namedUintptr(v), uint64(namedUintptr(v)))
		unsigned(fdMethod{uintptr(v)}, uint64(uintptr(v)))

		for _, obj := range []any{
			int8(v), int16(v), int64(v), time.Duration(v), uint(v), uint8(v), uint16(v), uint32(v), os.FileMode(v), v,
			float64(v), float32(v), complex(float64(v), 0), &v, []uint64{v}, strconv.FormatUint(v, 10), v%2 == 0,
		} {
			if fd, err := pyselect.Fileno(obj); fd != -1 || !errors.Is(err, pyselect.ErrNotWaitable) {
				t.Errorf("Fileno of %T is %d, %v", obj, fd, err)
			}
		}
	})
}

func wantFileno(t *testing.T, obj any, v uint64, valid bool) {
	t.Helper()
	fd, err := pyselect.Fileno(obj)
	switch {
	case valid && (err != nil || uint64(fd) != v):
		t.Errorf("Fileno of %T %v is %d, %v", obj, obj, fd, err)
	case !valid && (fd != -1 || !errors.Is(err, os.ErrInvalid)):
		t.Errorf("Fileno of %T %v is %d, %v, want os.ErrInvalid", obj, obj, fd, err)
	}
}
