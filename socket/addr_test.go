//go:build unix || windows

package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzInetAddr checks that an address is the same after it has been the kernel's.
func FuzzInetAddr(f *testing.F) {
	for _, s := range []string{"192.0.2.1:80", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:0", "[fe80::1%7]:1", "[::]:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddrPort(s)
		if err != nil {
			return
		}
		zone := addr.Addr().Zone()
		if strings.HasPrefix(zone, "0") || strings.Trim(zone, "0123456789") != "" || len(zone) > 9 {
			return // the kernel's zones are numbers
		}
		roundTrip(t, InetAddr{addr})
	})
}

func FuzzUnixAddr(f *testing.F) {
	for _, s := range []string{"", "/tmp/socket", "\x00name", "\x00a\x00b\x00", "@name", strings.Repeat("x", 103), strings.Repeat("x", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { roundTrip(t, UnixAddr(s)) })
}

func roundTrip(t *testing.T, addr net.Addr) {
	t.Helper()
	a, err := new(Socket).sockaddr(addr)
	if errors.Is(err, os.ErrInvalid) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := a.addr(); got != addr {
		t.Errorf("%q has become %q", addr, got)
	}
}

func TestMapAddrs(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("[2001:db8::1]:80")
	mapped := netip.MustParseAddrPort("[::ffff:192.0.2.1]:80")
	for _, test := range []struct {
		addrs []netip.AddrPort
		all   bool
		want  []netip.AddrPort
	}{
		{[]netip.AddrPort{v4}, false, []netip.AddrPort{mapped}},
		{[]netip.AddrPort{v4, v6}, false, []netip.AddrPort{v6}},
		{[]netip.AddrPort{v4, v6}, true, []netip.AddrPort{mapped, v6}},
	} {
		if got := mapAddrs(test.addrs, test.all); !slices.Equal(got, test.want) {
			t.Errorf("%v, all %t: %v, want %v", test.addrs, test.all, got, test.want)
		}
	}
}

func TestZones(t *testing.T) {
	for zone, want := range map[string]uint32{"": 0, "7": 7, "4294967295": 1<<32 - 1} {
		if got, err := zoneID(zone); got != want || err != nil {
			t.Errorf("zone %q is %d, %v; want %d", zone, got, err, want)
		}
	}
	for _, zone := range []string{"nosuchinterface", "4294967296", "-1"} {
		if got, err := zoneID(zone); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("zone %q is %d, %v; want os.ErrInvalid", zone, got, err)
		}
	}
}
