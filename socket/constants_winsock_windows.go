package socket

// Constants of Python's socket module that package windows lacks.

// Protocols, which are also levels of options.
const (
	IPPROTO_AH       = 51
	IPPROTO_DSTOPTS  = 60
	IPPROTO_EGP      = 8
	IPPROTO_ESP      = 50
	IPPROTO_FRAGMENT = 44
	IPPROTO_GGP      = 3
	IPPROTO_HOPOPTS  = 0
	IPPROTO_IDP      = 22
	IPPROTO_IPV4     = 4
	IPPROTO_ND       = 77
	IPPROTO_NONE     = 59
	IPPROTO_PUP      = 12
	IPPROTO_RAW      = 255
	IPPROTO_ROUTING  = 43
	SOL_IP           = IPPROTO_IP
	SOL_TCP          = IPPROTO_TCP
	SOL_UDP          = IPPROTO_UDP
)

// Options.
const (
	SO_ACCEPTCONN       = 0x2
	SO_DEBUG            = 0x1
	SO_ERROR            = 0x1007
	SO_EXCLUSIVEADDRUSE = ^SO_REUSEADDR // no other socket can have the address, not even with SO_REUSEADDR
	SO_OOBINLINE        = 0x100
	SO_RCVLOWAT         = 0x1004 // which the kernel refuses
	SO_SNDLOWAT         = 0x1003 // which the kernel refuses
	SO_TYPE             = 0x1008
	SO_USELOOPBACK      = 0x40
	IPV6_CHECKSUM       = 26
	IPV6_DONTFRAG       = 14
	IPV6_HOPLIMIT       = 21
	IPV6_HOPOPTS        = 1
	IPV6_RECVRTHDR      = 38
	IPV6_RECVTCLASS     = 40
	IPV6_RTHDR          = 32
	IPV6_TCLASS         = 39
	IP_OPTIONS          = 1
	IP_RECVDSTADDR      = 25
	IP_RECVTOS          = 40
)

// MSG_DONTWAIT makes one call non-blocking. Python has it on Unix only.
const MSG_DONTWAIT = 0x40
