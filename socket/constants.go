//go:build unix || windows

package socket

//go:generate go run mkconstants.go

// The constants of Python's socket module are those that the system has. These are the same everywhere.

// IPv4 addresses as numbers, and bounds of ports.
const (
	INADDR_ANY             = 0
	INADDR_BROADCAST       = 0xffffffff
	INADDR_LOOPBACK        = 0x7f000001
	INADDR_UNSPEC_GROUP    = 0xe0000000
	INADDR_ALLHOSTS_GROUP  = 0xe0000001
	INADDR_MAX_LOCAL_GROUP = 0xe00000ff
	INADDR_NONE            = 0xffffffff
	IPPORT_RESERVED        = 1024
	IPPORT_USERRESERVED    = 5000
)
