//go:build unix

package socket

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// FuzzAddrPort checks that an address is the same after it has been the kernel's.
func FuzzAddrPort(f *testing.F) {
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
		sa, err := sockaddr(addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := fromSockaddr(sa); got != addr {
			t.Errorf("%v has become %v", addr, got)
		}
	})
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
