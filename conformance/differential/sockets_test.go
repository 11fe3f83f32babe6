//go:build linux

package differential

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// Programs of sockets are made of steps like
//
//	socket.new 0 unix dgram           a socket gets the number 0; what had the number is closed
//	socket.send 0 100 0x40            to or from the socket with a number, and so on
//
// Every socket has a timeout from the beginning, so that nothing waits for ever.
const (
	sockets    = 5
	timeout    = 5000 // microseconds
	mostOfInet = 1000 // bytes sent at once, so that TCP always has room
)

// doSocket runs a step of a program of sockets.
func (m *machine) doSocket(s step) answer {
	text, err := m.socketStep(s.method(), s)
	if text == "" {
		text = "ok"
	}
	return answer{text, err}
}

func (m *machine) socketStep(method string, st step) (string, error) {
	switch method {
	case "new":
		s, err := socket.New(socketFamilies[st.args[1]], socketTypes[st.args[2]], 0)
		if err != nil {
			return "", err
		}
		return "", m.placeSocket(st.int(0), s)
	case "pair":
		a, b, err := socket.Socketpair(socket.AF_UNIX, socketTypes[st.args[2]], 0)
		if err != nil {
			return "", err
		}
		return "", errors.Join(m.placeSocket(st.int(0), a), m.placeSocket(st.int(1), b))
	}
	s := m.sockets[st.int(0)]
	if s == nil {
		s = new(socket.Socket)
	}
	var addr net.Addr
	if method == "connect" || method == "connect_ex" || method == "sendto" {
		other := m.sockets[st.int(1)]
		if _, err := s.Fileno(); err != nil || other == nil {
			return "", os.ErrClosed
		}
		var err error
		if addr, err = other.Getsockname(); err != nil {
			return "", err
		}
		if s.Family() != other.Family() {
			return "another family", nil
		}
	}
	switch method {
	case "bind":
		if s.Family() == socket.AF_INET {
			return "", s.Bind(socket.HostPort("127.0.0.1:0"))
		}
		m.names++
		return "", s.Bind(socket.UnixAddr(fmt.Sprintf("\x00pyselect-differential-%d-%d", os.Getpid(), m.names)))
	case "listen":
		return "", s.Listen(st.int(1))
	case "connect":
		return "", s.Connect(addr)
	case "connect_ex":
		return fmt.Sprint(int(s.ConnectEx(addr))), nil
	case "accept":
		c, from, err := s.Accept()
		if err != nil {
			return "", err
		}
		if err := m.placeSocket(st.int(1), c); err != nil {
			return "", err
		}
		return m.whose(from), nil
	case "send":
		n, err := s.Send(m.data(s, st.int(1)), st.int(2))
		return fmt.Sprint(n), err
	case "sendall":
		return "", s.Sendall(m.data(s, st.int(1)))
	case "sendto":
		n, err := s.Sendto(m.data(s, st.int(2)), addr)
		return fmt.Sprint(n), err
	case "sendmsg":
		n, err := s.Sendmsg([][]byte{m.data(s, st.int(1)), m.data(s, st.int(2))}, nil, nil)
		return fmt.Sprint(n), err
	case "recv":
		p := make([]byte, st.int(1))
		n, err := s.Recv(p, st.int(2))
		return sum(p, n), err
	case "recvfrom":
		p := make([]byte, st.int(1))
		n, from, err := s.Recvfrom(p)
		return sum(p, n) + " from " + m.whose(from), err
	case "recvmsg":
		p := [][]byte{make([]byte, st.int(1)), make([]byte, st.int(2))}
		n, _, flags, from, err := s.Recvmsg(p, 0)
		return fmt.Sprintf("%s flags %d from %s", sum(bytes.Join(p, nil), n), flags, m.whose(from)), err
	case "shutdown":
		return "", s.Shutdown(st.int(1))
	case "close":
		return "", s.Close()
	case "adopt":
		fd, err := s.Detach()
		if err != nil {
			return "", err
		}
		if s, err = socket.Adopt(fd); err != nil {
			return "", err
		}
		return "", m.placeSocket(st.int(0), s)
	case "dup":
		d, err := s.Dup()
		if err != nil {
			return "", err
		}
		return "", m.placeSocket(st.int(1), d)
	case "settimeout":
		return "", s.Settimeout(microseconds(st.int(1)))
	case "getpeername":
		addr, err := s.Getpeername()
		return m.whose(addr), err
	case "getsockname":
		addr, err := s.Getsockname()
		return m.whose(addr), err
	case "getsockopt":
		value, err := s.Getsockopt(socket.SOL_SOCKET, st.int(1))
		return fmt.Sprint(value), err
	case "identity":
		return fmt.Sprint(s.Family(), s.Type(), s.Proto()), nil
	}
	panic("no such step: " + st.op)
}

func (m *machine) placeSocket(n int, s *socket.Socket) error {
	if old := m.sockets[n]; old != nil && old != s {
		old.Close()
	}
	m.sockets[n] = s
	return s.Settimeout(microseconds(timeout))
}

// data returns what is sent.
func (m *machine) data(s *socket.Socket, size int) []byte {
	if s.Family() == socket.AF_INET {
		size = min(size, mostOfInet)
	}
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i ^ size)
	}
	return p
}

// sum describes data that was received. With MSG_TRUNC, n may be larger.
func sum(p []byte, n int) string {
	return fmt.Sprintf("%d:%d", n, crc32.ChecksumIEEE(p[:min(max(n, 0), len(p))]))
}

// whose returns the number of the first socket that has an address.
func (m *machine) whose(addr net.Addr) string {
	if addr == nil || addr == socket.UnixAddr("") {
		return "none"
	}
	for n := range sockets {
		if s := m.sockets[n]; s != nil {
			if name, err := s.Getsockname(); err == nil && name == addr {
				return strconv.Itoa(n)
			}
		}
	}
	return "somebody"
}

var (
	socketFamilies = map[string]int{"inet": socket.AF_INET, "unix": socket.AF_UNIX}
	socketTypes    = map[string]int{"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
)

// socketProgram returns a program of sockets.
func (next choice) socketProgram(more func(length int) bool) (program []step) {
	for more(len(program)) {
		n, other := strconv.Itoa(next(sockets)), strconv.Itoa(next(sockets))
		add := func(method string, args ...string) {
			program = append(program, step{"socket." + method, append([]string{n}, args...)})
		}
		size := func() string { return pick(next, "0", "1", "10", "1000", "1000", "300000") }
		switch pick(next, 0, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 6) {
		case 0:
			add("new", pick(next, "inet", "unix"), pick(next, "stream", "dgram", "dgram"))
		case 1:
			add("pair", other, pick(next, "stream", "dgram", "seqpacket"))
		case 2:
			switch pick(next, "server", "bind", "listen", "connect", "connect_ex", "accept", "accept") {
			case "server": // which mere chance seldom makes
				family := pick(next, "inet", "unix")
				add("new", family, "stream")
				add("bind")
				add("listen", pick(next, "0", "1", "5"))
				client := step{"socket.new", []string{other, family, "stream"}}
				program = append(program, client, step{"socket.connect", []string{other, n}})
			case "bind":
				add("bind")
			case "listen":
				add("listen", pick(next, "0", "1", "5", "-1"))
			case "connect":
				add("connect", other)
			case "connect_ex":
				add("connect_ex", other)
			case "accept":
				add("accept", other)
			}
		case 3:
			switch pick(next, "send", "send", "sendall", "sendto", "sendto", "sendmsg") {
			case "send":
				add("send", size(), pick(next, "0", "0", "0", "0x40", "0x1")) // MSG_DONTWAIT, MSG_OOB
			case "sendall":
				add("sendall", size())
			case "sendto":
				add("sendto", other, size())
			case "sendmsg":
				add("sendmsg", size(), size())
			}
		case 4:
			switch pick(next, "recv", "recv", "recv", "recvfrom", "recvmsg") {
			case "recv":
				// MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE
				add("recv", pick(next, "1", "5", "1000", "70000"), pick(next, "0", "0", "0", "0x2", "0x40", "0x20", "0x100", "0x1", "0x2000"))
			case "recvfrom":
				add("recvfrom", pick(next, "0", "5", "1000"))
			case "recvmsg":
				add("recvmsg", pick(next, "0", "5"), pick(next, "3", "1000"))
			}
		case 5:
			switch pick(next, "shutdown", "shutdown", "close", "adopt", "dup") {
			case "shutdown":
				add("shutdown", pick(next, "0", "1", "2", "7"))
			case "close":
				add("close")
			case "adopt":
				add("adopt")
			case "dup":
				add("dup", other)
			}
		case 6:
			switch pick(next, "settimeout", "settimeout", "getpeername", "getsockname", "getsockopt", "identity") {
			case "settimeout":
				add("settimeout", pick(next, "0", "0", strconv.Itoa(timeout), "-1"))
			case "getpeername":
				add("getpeername")
			case "getsockname":
				add("getsockname")
			case "getsockopt":
				add("getsockopt", pick(next, "3", "4", "30", "9999")) // SO_TYPE, SO_ERROR, SO_ACCEPTCONN
			case "identity":
				add("identity")
			}
		}
	}
	return program
}

var socketMethods = strings.Fields(`new pair bind listen connect connect_ex accept send sendall sendto sendmsg recv recvfrom recvmsg
	shutdown close adopt dup settimeout getpeername getsockname getsockopt identity`)

func TestSockets(t *testing.T) {
	testkit.NoLeaks(t)
	p := startPython(t)
	seen := tally{}
	for i := range uint64(*programs) {
		checkSockets(t, p, generator(choice.socketProgram).random(*seed+i), seen, fmt.Sprintf("seed %d", *seed+i))
	}
	if *programs >= enough {
		for _, method := range socketMethods {
			if seen["socket."+method] == 0 {
				t.Errorf("no step has compared %q", method)
			}
		}
		for _, kind := range []string{"timeout", "closed", "invalid", "errno11", "errno32", "errno104", "errno106", "errno107", "errno111", "errno22"} {
			if seen["error: "+kind] == 0 {
				t.Errorf("no step has compared the error %q", kind)
			}
		}
	}
	seen.log(t)
}

// checkSockets is check for programs whose answers may depend on the load of the machine: packets of the loopback interface take a
// moment, now and then. A failure has to occur twice.
func checkSockets(t testing.TB, p *python, program []step, seen tally, what string) {
	t.Helper()
	if run(t, p, program, seen) != nil {
		check(t, p, program, seen, what)
	}
}

func FuzzSockets(f *testing.F) {
	p := startPython(f)
	for seed := range byte(3) {
		data := make([]byte, 100)
		rand.NewChaCha8([32]byte{seed}).Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkSockets(t, p, generator(choice.socketProgram).fromBytes(data), tally{}, "the fuzzer's program")
	})
}
