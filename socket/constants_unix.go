//go:build unix

package socket

import (
	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// The constants of Python's socket module that all Unix systems have.

// Address families.
const (
	AF_APPLETALK = unix.AF_APPLETALK
	AF_INET      = unix.AF_INET
	AF_INET6     = unix.AF_INET6
	AF_ROUTE     = unix.AF_ROUTE
	AF_SNA       = unix.AF_SNA
	AF_UNIX      = unix.AF_UNIX
	AF_UNSPEC    = unix.AF_UNSPEC
)

// Types of sockets.
const (
	SOCK_DGRAM     = unix.SOCK_DGRAM
	SOCK_RAW       = unix.SOCK_RAW
	SOCK_RDM       = unix.SOCK_RDM
	SOCK_SEQPACKET = unix.SOCK_SEQPACKET
	SOCK_STREAM    = unix.SOCK_STREAM
)

// Protocols, which are also levels of options.
const (
	IPPROTO_AH       = unix.IPPROTO_AH
	IPPROTO_DSTOPTS  = unix.IPPROTO_DSTOPTS
	IPPROTO_EGP      = unix.IPPROTO_EGP
	IPPROTO_ESP      = unix.IPPROTO_ESP
	IPPROTO_FRAGMENT = unix.IPPROTO_FRAGMENT
	IPPROTO_HOPOPTS  = unix.IPPROTO_HOPOPTS
	IPPROTO_ICMP     = unix.IPPROTO_ICMP
	IPPROTO_ICMPV6   = unix.IPPROTO_ICMPV6
	IPPROTO_IDP      = unix.IPPROTO_IDP
	IPPROTO_IGMP     = unix.IPPROTO_IGMP
	IPPROTO_IP       = unix.IPPROTO_IP
	IPPROTO_IPV6     = unix.IPPROTO_IPV6
	IPPROTO_NONE     = unix.IPPROTO_NONE
	IPPROTO_PUP      = unix.IPPROTO_PUP
	IPPROTO_RAW      = unix.IPPROTO_RAW
	IPPROTO_ROUTING  = unix.IPPROTO_ROUTING
	IPPROTO_RSVP     = unix.IPPROTO_RSVP
	IPPROTO_TCP      = unix.IPPROTO_TCP
	IPPROTO_UDP      = unix.IPPROTO_UDP
	SOL_IP           = unix.IPPROTO_IP
	SOL_TCP          = unix.IPPROTO_TCP
	SOL_UDP          = unix.IPPROTO_UDP
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
	SO_RCVTIMEO   = unix.SO_RCVTIMEO
	SO_REUSEADDR  = unix.SO_REUSEADDR
	SO_SNDBUF     = unix.SO_SNDBUF
	SO_SNDLOWAT   = unix.SO_SNDLOWAT
	SO_SNDTIMEO   = unix.SO_SNDTIMEO
	SO_TYPE       = unix.SO_TYPE
)

// Options of other levels.
const (
	IPV6_CHECKSUM             = unix.IPV6_CHECKSUM
	IPV6_DONTFRAG             = unix.IPV6_DONTFRAG
	IPV6_DSTOPTS              = unix.IPV6_DSTOPTS
	IPV6_HOPLIMIT             = unix.IPV6_HOPLIMIT
	IPV6_HOPOPTS              = unix.IPV6_HOPOPTS
	IPV6_JOIN_GROUP           = unix.IPV6_JOIN_GROUP
	IPV6_LEAVE_GROUP          = unix.IPV6_LEAVE_GROUP
	IPV6_MULTICAST_HOPS       = unix.IPV6_MULTICAST_HOPS
	IPV6_MULTICAST_IF         = unix.IPV6_MULTICAST_IF
	IPV6_MULTICAST_LOOP       = unix.IPV6_MULTICAST_LOOP
	IPV6_NEXTHOP              = unix.IPV6_NEXTHOP
	IPV6_PATHMTU              = unix.IPV6_PATHMTU
	IPV6_PKTINFO              = unix.IPV6_PKTINFO
	IPV6_RECVDSTOPTS          = unix.IPV6_RECVDSTOPTS
	IPV6_RECVHOPLIMIT         = unix.IPV6_RECVHOPLIMIT
	IPV6_RECVHOPOPTS          = unix.IPV6_RECVHOPOPTS
	IPV6_RECVPATHMTU          = unix.IPV6_RECVPATHMTU
	IPV6_RECVPKTINFO          = unix.IPV6_RECVPKTINFO
	IPV6_RECVRTHDR            = unix.IPV6_RECVRTHDR
	IPV6_RECVTCLASS           = unix.IPV6_RECVTCLASS
	IPV6_RTHDR                = unix.IPV6_RTHDR
	IPV6_RTHDRDSTOPTS         = unix.IPV6_RTHDRDSTOPTS
	IPV6_RTHDR_TYPE_0         = unix.IPV6_RTHDR_TYPE_0
	IPV6_TCLASS               = unix.IPV6_TCLASS
	IPV6_UNICAST_HOPS         = unix.IPV6_UNICAST_HOPS
	IPV6_V6ONLY               = unix.IPV6_V6ONLY
	IP_ADD_MEMBERSHIP         = unix.IP_ADD_MEMBERSHIP
	IP_DEFAULT_MULTICAST_LOOP = unix.IP_DEFAULT_MULTICAST_LOOP
	IP_DEFAULT_MULTICAST_TTL  = unix.IP_DEFAULT_MULTICAST_TTL
	IP_DROP_MEMBERSHIP        = unix.IP_DROP_MEMBERSHIP
	IP_HDRINCL                = unix.IP_HDRINCL
	IP_MULTICAST_IF           = unix.IP_MULTICAST_IF
	IP_MULTICAST_LOOP         = unix.IP_MULTICAST_LOOP
	IP_MULTICAST_TTL          = unix.IP_MULTICAST_TTL
	IP_OPTIONS                = unix.IP_OPTIONS
	IP_RECVOPTS               = unix.IP_RECVOPTS
	IP_RECVRETOPTS            = unix.IP_RECVRETOPTS
	IP_RECVTTL                = unix.IP_RECVTTL
	IP_RETOPTS                = unix.IP_RETOPTS
	IP_TOS                    = unix.IP_TOS
	IP_TTL                    = unix.IP_TTL
	TCP_MAXSEG                = unix.TCP_MAXSEG
	TCP_NODELAY               = unix.TCP_NODELAY
)

// Flags of Recv, Send and the like.
const (
	MSG_CTRUNC    = unix.MSG_CTRUNC
	MSG_DONTROUTE = unix.MSG_DONTROUTE
	MSG_DONTWAIT  = sys.MsgDontwait // makes one call non-blocking
	MSG_EOR       = unix.MSG_EOR
	MSG_NOSIGNAL  = unix.MSG_NOSIGNAL
	MSG_OOB       = unix.MSG_OOB
	MSG_PEEK      = unix.MSG_PEEK
	MSG_TRUNC     = unix.MSG_TRUNC
	MSG_WAITALL   = unix.MSG_WAITALL
)

// Types of ancillary data of the level SOL_SOCKET.
const (
	SCM_RIGHTS = unix.SCM_RIGHTS
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
