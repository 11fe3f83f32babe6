package sys

// What the system does not have.
const (
	SockNonblock = 0
	SockCloexec  = 0
	SoReuseport  = 0
)
