//go:build unix || windows

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestCreateServer(t *testing.T) {
	testkit.NoLeaks(t)
	for _, address := range []string{"localhost:0", "127.0.0.1:0", ":0", "[::1]:0"} {
		server, err := socket.CreateServer(address, nil)
		if address == "[::1]:0" && errors.Is(err, eAddrNotAvail) || errors.Is(err, eAfNoSupport) {
			continue
		}
		check(t, err)
		own(t, server)
		if must[int](t)(server.Getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)) == 0 && runtime.GOOS != "windows" {
			t.Errorf("%s: SO_REUSEADDR is not set", address)
		}
		name := sockname(t, server).(socket.InetAddr)
		if address == ":0" {
			if want := netip.IPv4Unspecified(); name.Addr() != want {
				t.Errorf("%s listens at %v, want %v", address, name.Addr(), want)
			}
			name.AddrPort = netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", name.Port()))
		}
		client := own(t, must[*socket.Socket](t)(socket.CreateConnection(name.String(), &socket.ConnectionConfig{Timeout: time.Minute})))
		if client.Gettimeout() != time.Minute {
			t.Errorf("the timeout of the connection is %v", client.Gettimeout())
		}
		accepted, from, err := server.Accept()
		check(t, err)
		own(t, accepted)
		if from != sockname(t, client) {
			t.Errorf("%s accepted %v, want %v", address, from, sockname(t, client))
		}
	}
}

func TestCreateServerErrors(t *testing.T) {
	testkit.NoLeaks(t)
	used := own(t, must[*socket.Socket](t)(socket.CreateServer("127.0.0.1:0", nil)))
	address := sockname(t, used).String()
	_, err := socket.CreateServer(address, nil)
	wantError(t, err, socket.ErrAddressInUse, "socket.create_server: "+address+": socket.bind: fd ")
	for _, address := range []string{"localhost", "localhost:nosuchport", "no such host:0"} {
		for _, create := range []func(string) (*socket.Socket, error){
			func(address string) (*socket.Socket, error) { return socket.CreateServer(address, nil) },
			func(address string) (*socket.Socket, error) { return socket.CreateConnection(address, nil) },
		} {
			if s, err := create(address); err == nil {
				t.Errorf("%s: no error", address)
				s.Close()
			}
		}
	}
}

func TestCreateConnectionErrors(t *testing.T) {
	testkit.NoLeaks(t)
	address := networks[0].refusing(t).String()
	_, err := socket.CreateConnection(address, nil)
	wantError(t, err, socket.ErrConnectionRefused, "socket.create_connection: "+address+": socket.connect: fd ")
	_, err = socket.CreateConnection(address, &socket.ConnectionConfig{Timeout: -1})
	wantError(t, err, os.ErrInvalid)
	_, err = socket.CreateConnection(address, &socket.ConnectionConfig{SourceAddress: "192.0.2.1:0"})
	wantError(t, err, eAddrNotAvail, "socket.bind")
}

func TestReusePort(t *testing.T) {
	testkit.NoLeaks(t)
	first, err := socket.CreateServer("127.0.0.1:0", &socket.ServerConfig{ReusePort: true, Backlog: 1})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no SO_REUSEPORT")
	}
	check(t, err)
	own(t, first)
	second, err := socket.CreateServer(sockname(t, first).String(), &socket.ServerConfig{ReusePort: true})
	check(t, err)
	if sockname(t, first) != sockname(t, own(t, second)) {
		t.Errorf("%v and %v do not share the address", first, second)
	}
}

func TestFamilyOfServer(t *testing.T) {
	testkit.NoLeaks(t)
	for _, config := range []socket.ServerConfig{
		{Family: socket.AF_INET, DualstackIPv6: true},
		{Family: socket.AF_UNIX},
	} {
		_, err := socket.CreateServer("127.0.0.1:0", &config)
		wantError(t, err, os.ErrInvalid, "socket.create_server")
	}
	if _, err := socket.CreateServer("127.0.0.1:0", &socket.ServerConfig{Family: socket.AF_INET6}); err == nil {
		t.Error("an IPv4 address is one of AF_INET6")
	}
}

func TestDualstack(t *testing.T) {
	testkit.NoLeaks(t)
	if !socket.HasDualstackIPv6() {
		t.Skip("no dual-stack sockets here")
	}
	create := func(config socket.ServerConfig) *socket.Socket {
		t.Helper()
		s, err := socket.CreateServer(":0", &config)
		if errors.Is(err, eAddrNotAvail) {
			t.Skipf("no IPv6 here: %v", err)
		}
		check(t, err)
		return own(t, s)
	}
	for _, config := range []socket.ServerConfig{{DualstackIPv6: true}, {Family: socket.AF_INET6, DualstackIPv6: true}} {
		server := create(config)
		port := sockname(t, server).(socket.InetAddr).Port()
		client := own(t, must[*socket.Socket](t)(socket.CreateConnection(fmt.Sprintf("127.0.0.1:%d", port), nil)))
		if server.Family() != socket.AF_INET6 || client.Family() != socket.AF_INET {
			t.Errorf("%v is connected to %v", client, server)
		}
	}
	server := create(socket.ServerConfig{Family: socket.AF_INET6})
	if only := must[int](t)(server.Getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)); only == 0 {
		t.Error("IPV6_V6ONLY is not set")
	}
}

func TestConnectionConfig(t *testing.T) {
	testkit.NoLeaks(t)
	server := own(t, must[*socket.Socket](t)(socket.CreateServer("127.0.0.1:0", nil)))
	address := sockname(t, server).String()
	free := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	check(t, free.Bind(networks[0].any(t)))
	source := sockname(t, free).(socket.InetAddr)
	check(t, free.Close())
	client := own(t, must[*socket.Socket](t)(socket.CreateConnection(address, &socket.ConnectionConfig{
		SourceAddress: source.String(), Timeout: time.Hour,
	})))
	if sockname(t, client) != source || client.Gettimeout() != time.Hour {
		t.Errorf("the address of %v is not %v, or its timeout is not %v", client, source, client.Gettimeout())
	}

	// A name with two addresses, where nobody listens.
	port := networks[0].refusing(t).(socket.InetAddr).Port()
	if infos, err := socket.Getaddrinfo(context.Background(), ":0", 0, socket.SOCK_STREAM, 0, 0); err != nil || len(infos) < 2 {
		t.Fatalf("the local host is %v, %v", infos, err)
	}
	for all, want := range map[bool]int{false: 1, true: 2} {
		_, err := socket.CreateConnection(fmt.Sprintf(":%d", port), &socket.ConnectionConfig{AllErrors: all})
		wantError(t, err, socket.ErrConnectionRefused)
		if n := strings.Count(err.Error(), fmt.Sprint(port)); n != want {
			t.Errorf("AllErrors %t: the error tells %d attempts: %v", all, n, err)
		}
	}
}

func TestGetaddrinfo(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		family  int
		address string
		want    string
	}{
		{socket.AF_UNSPEC, "192.0.2.1:80", "192.0.2.1:80"},
		{socket.AF_INET, "192.0.2.1:http", "192.0.2.1:80"},
		{socket.AF_INET6, "[2001:db8::1]:80", "[2001:db8::1]:80"},
	} {
		addrs, err := socket.Getaddrinfo(ctx, test.address, test.family, socket.SOCK_STREAM, 0, 0)
		check(t, err)
		if len(addrs) != 1 || addrs[0].Addr.String() != test.want {
			t.Errorf("%s is %v, want %s", test.address, addrs, test.want)
		}
	}
	for _, test := range []struct {
		address                   string
		family, typ, proto, flags int
		want                      string
	}{
		{"192.0.2.1:80", 0, 0, 0, 0, "2 1 6  192.0.2.1:80, 2 2 17  192.0.2.1:80, 2 3 0  192.0.2.1:80"},
		{"192.0.2.1:80", 0, 0, socket.IPPROTO_UDP, 0, "2 2 17  192.0.2.1:80, 2 3 17  192.0.2.1:80"},
		{"192.0.2.1:domain", 0, socket.SOCK_DGRAM, 0, 0, "2 2 17  192.0.2.1:53"},
		{"192.0.2.1:", 0, socket.SOCK_STREAM, 0, socket.AI_CANONNAME, "2 1 6 192.0.2.1 192.0.2.1:0"},
		{":80", socket.AF_INET, socket.SOCK_STREAM, 0, 0, "2 1 6  127.0.0.1:80"},
		{":80", socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_PASSIVE, "2 1 6  0.0.0.0:80"},
		{":80", 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE, "2 1 6  0.0.0.0:80, 6 1 6  [::]:80"},
		{"192.0.2.1:80", socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_V4MAPPED, "6 1 6  [::ffff:192.0.2.1]:80"},
		{"[::1]:80", 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST | socket.AI_NUMERICSERV, "6 1 6  [::1]:80"},
		{"[fe80::1%7]:80", 0, socket.SOCK_STREAM, 0, 0, "6 1 6  [fe80::1%7]:80"},
		{"<broadcast>:80", 0, socket.SOCK_DGRAM, 0, 0, "2 2 17  255.255.255.255:80"},
	} {
		infos, err := socket.Getaddrinfo(ctx, test.address, test.family, test.typ, test.proto, test.flags)
		check(t, err)
		var got []string
		for _, i := range infos {
			family := i.Family
			if family == socket.AF_INET6 {
				family = 6 // which is another number on each system
			}
			got = append(got, fmt.Sprint(family, " ", i.Type, " ", i.Proto, " ", i.Canonname, " ", i.Addr))
		}
		if got := strings.Join(got, ", "); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
	_, err := socket.Getaddrinfo(ctx, "192.0.2.1:80", socket.AF_INET6, 0, 0, 0)
	var addrErr *net.AddrError
	if !errors.As(err, &addrErr) {
		t.Errorf("an IPv4 address is no error for AF_INET6 but %v", err)
	}
	_, err = socket.Getaddrinfo(ctx, "192.0.2.1:80", socket.AF_UNIX, 0, 0, 0)
	wantError(t, err, os.ErrInvalid, "getaddrinfo")
	_, err = socket.Getaddrinfo(ctx, "192.0.2.1:80", 0, socket.SOCK_STREAM, socket.IPPROTO_UDP, 0)
	wantError(t, err, os.ErrInvalid, "getaddrinfo", "type")
	_, err = socket.Getaddrinfo(ctx, "192.0.2.1:http", 0, 0, 0, socket.AI_NUMERICSERV)
	wantError(t, err, os.ErrInvalid, "http")
	_, err = socket.Getaddrinfo(ctx, "localhost:80", 0, 0, 0, socket.AI_NUMERICHOST)
	var dnsErr *net.DNSError
	if !errors.As(err, &dnsErr) {
		t.Errorf("a name is no error with AI_NUMERICHOST but %v", err)
	}
}
