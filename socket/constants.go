//go:build unix

package socket

import (
	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// The constants of Python's socket module that all Unix systems have. Package unix has the others.

// Address families.
const (
	AF_UNSPEC = unix.AF_UNSPEC
	AF_INET   = unix.AF_INET
	AF_INET6  = unix.AF_INET6
	AF_UNIX   = unix.AF_UNIX
)

// Types of sockets.
const (
	SOCK_STREAM    = unix.SOCK_STREAM
	SOCK_DGRAM     = unix.SOCK_DGRAM
	SOCK_RAW       = unix.SOCK_RAW
	SOCK_SEQPACKET = unix.SOCK_SEQPACKET
)

// Protocols, which are also levels of options.
const (
	IPPROTO_IP     = unix.IPPROTO_IP
	IPPROTO_ICMP   = unix.IPPROTO_ICMP
	IPPROTO_ICMPV6 = unix.IPPROTO_ICMPV6
	IPPROTO_IPV6   = unix.IPPROTO_IPV6
	IPPROTO_TCP    = unix.IPPROTO_TCP
	IPPROTO_UDP    = unix.IPPROTO_UDP
)

// Options of the level SOL_SOCKET.
const (
	SOL_SOCKET    = unix.SOL_SOCKET
	SO_ACCEPTCONN = unix.SO_ACCEPTCONN
	SO_BROADCAST  = unix.SO_BROADCAST
	SO_DEBUG      = unix.SO_DEBUG
	SO_DONTROUTE  = unix.SO_DONTROUTE
	SO_ERROR      = unix.SO_ERROR
	SO_KEEPALIVE  = unix.SO_KEEPALIVE
	SO_LINGER     = unix.SO_LINGER
	SO_OOBINLINE  = unix.SO_OOBINLINE
	SO_RCVBUF     = unix.SO_RCVBUF
	SO_RCVLOWAT   = unix.SO_RCVLOWAT
	SO_REUSEADDR  = unix.SO_REUSEADDR
	SO_SNDBUF     = unix.SO_SNDBUF
	SO_SNDLOWAT   = unix.SO_SNDLOWAT
	SO_TYPE       = unix.SO_TYPE
)

// Options of other levels.
const (
	IPV6_V6ONLY         = unix.IPV6_V6ONLY
	IPV6_UNICAST_HOPS   = unix.IPV6_UNICAST_HOPS
	IPV6_MULTICAST_HOPS = unix.IPV6_MULTICAST_HOPS
	IPV6_MULTICAST_IF   = unix.IPV6_MULTICAST_IF
	IPV6_MULTICAST_LOOP = unix.IPV6_MULTICAST_LOOP
	IPV6_JOIN_GROUP     = unix.IPV6_JOIN_GROUP
	IPV6_LEAVE_GROUP    = unix.IPV6_LEAVE_GROUP
	IP_ADD_MEMBERSHIP   = unix.IP_ADD_MEMBERSHIP
	IP_DROP_MEMBERSHIP  = unix.IP_DROP_MEMBERSHIP
	IP_MULTICAST_IF     = unix.IP_MULTICAST_IF
	IP_MULTICAST_LOOP   = unix.IP_MULTICAST_LOOP
	IP_MULTICAST_TTL    = unix.IP_MULTICAST_TTL
	IP_TOS              = unix.IP_TOS
	IP_TTL              = unix.IP_TTL
	TCP_MAXSEG          = unix.TCP_MAXSEG
	TCP_NODELAY         = unix.TCP_NODELAY
)

// Flags of Recv and Send.
const (
	MSG_DONTROUTE = unix.MSG_DONTROUTE
	MSG_DONTWAIT  = sys.MsgDontwait // makes one call non-blocking
	MSG_OOB       = unix.MSG_OOB
	MSG_PEEK      = unix.MSG_PEEK
	MSG_TRUNC     = unix.MSG_TRUNC
	MSG_WAITALL   = unix.MSG_WAITALL
)

// Directions of Shutdown.
const (
	SHUT_RD   = unix.SHUT_RD
	SHUT_RDWR = unix.SHUT_RDWR
	SHUT_WR   = unix.SHUT_WR
)

// Limit of the backlog.
const (
	SOMAXCONN = unix.SOMAXCONN
)
