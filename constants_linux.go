package pyselect

// PIPE_BUF is the number of bytes that can be written to a pipe without blocking when it is reported as writable.
const PIPE_BUF = 4096

// Events of a Poll that POSIX leaves to the system.
const (
	POLLRDNORM PollMask = 0x040      // the same as POLLIN
	POLLRDBAND PollMask = 0x080      // priority data can be read
	POLLWRNORM PollMask = pollWRNORM // the same as POLLOUT
	POLLWRBAND PollMask = pollWRBAND // priority data can be written
	POLLMSG    PollMask = 0x400      // never reported
	POLLRDHUP  PollMask = 0x2000     // the peer has closed its sending side
)

// Events and flags of an Epoll.
const (
	EPOLLIN        EpollMask = 0x001   // readable
	EPOLLPRI       EpollMask = 0x002   // urgent data
	EPOLLOUT       EpollMask = 0x004   // writable
	EPOLLERR       EpollMask = 0x008   // an error; reported without being asked for
	EPOLLHUP       EpollMask = 0x010   // hung up; reported without being asked for
	EPOLLRDNORM    EpollMask = 0x040   // the same as EPOLLIN
	EPOLLRDBAND    EpollMask = 0x080   // priority data can be read
	EPOLLWRNORM    EpollMask = 0x100   // the same as EPOLLOUT
	EPOLLWRBAND    EpollMask = 0x200   // priority data can be written
	EPOLLMSG       EpollMask = 0x400   // never reported
	EPOLLRDHUP     EpollMask = 0x2000  // the peer has closed its sending side
	EPOLLEXCLUSIVE EpollMask = 1 << 28 // wake one of the epolls that watch the descriptor, not all
	EPOLLWAKEUP    EpollMask = 1 << 29 // keep the system awake while the event is handled
	EPOLLONESHOT   EpollMask = 1 << 30 // report once, then be silent until Modify
	EPOLLET        EpollMask = 1 << 31 // edge-triggered: report when the state changes; the default is level-triggered
)

var epollNames = []bitName[EpollMask]{
	{EPOLLIN, "EPOLLIN"},
	{EPOLLPRI, "EPOLLPRI"},
	{EPOLLOUT, "EPOLLOUT"},
	{EPOLLERR, "EPOLLERR"},
	{EPOLLHUP, "EPOLLHUP"},
	{EPOLLRDNORM, "EPOLLRDNORM"},
	{EPOLLRDBAND, "EPOLLRDBAND"},
	{EPOLLWRNORM, "EPOLLWRNORM"},
	{EPOLLWRBAND, "EPOLLWRBAND"},
	{EPOLLMSG, "EPOLLMSG"},
	{EPOLLRDHUP, "EPOLLRDHUP"},
	{EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
	{EPOLLWAKEUP, "EPOLLWAKEUP"},
	{EPOLLONESHOT, "EPOLLONESHOT"},
	{EPOLLET, "EPOLLET"},
}

var pollNames = append(posixPollNames, []bitName[PollMask]{
	{POLLMSG, "POLLMSG"},
	{POLLRDHUP, "POLLRDHUP"},
}...)
