// Package pyselect is Python's select module for Go: Select, Poll, Epoll, Kqueue and their constants, under their Python
// names and with their Python semantics. Package selectors, below this one, is Python's selectors module on top of it.
//
// The objects exist where the kernel has the facility, as in Python: Poll on Unix, Epoll on Linux, Kqueue on macOS and the
// BSDs. Select is everywhere; on Windows it takes sockets only, and where there is no select(2), on js, wasip1 and plan9,
// it is an error that is errors.ErrUnsupported.
//
// # Waitable objects
//
// Whatever Python takes as a file object is an any here, and [Fileno] says what may be passed: a descriptor as an integer
// of any type, a net.Conn, a net.Listener, an *os.File, anything with a Fileno or an Fd method. Its blocking mode is left
// as it is. An object that is registered is kept alive until it is unregistered.
//
// # Timeouts
//
// A timeout is a [time.Duration] where Python has seconds or milliseconds. [Forever] is None. A wait never ends before its
// timeout is over, whatever signals arrive, and ends later only by what the kernel's timers and the scheduler need, however
// short it is. A timeout of zero looks and does not wait. What a negative one does differs, as it does in Python: it is an
// error in Select and Kqueue, and waits for ever in Poll and Epoll.
//
// # Waiting
//
// On Linux, a wait holds a thread only where that is cheaper, or right: the loop of a program that has one, the first few that
// wait, and waits for files that are neither sockets, pipes, terminals, eventfds, timerfds nor inotify descriptors. All other
// goroutines that wait are parked, however many they are. On the other systems every wait holds a thread, and Go ends a program
// with more than ten thousand. A context ends a wait of PollContext and its like; Close ends those of an Epoll or a Kqueue.
//
// # Errors
//
// An error names the operation and, where there is one, the descriptor. Use [errors.Is] to tell them apart:
//
//	Python                                     here
//	OSError with an errno                      unix.EBADF, unix.EPERM, ...;
//	                                           also fs.ErrExist for EEXIST, fs.ErrNotExist for ENOENT
//	ValueError: a bad argument                 os.ErrInvalid
//	ValueError: it is closed                   os.ErrClosed
//	TypeError: not a file object               ErrNotWaitable
//	KeyError                                   ErrNotRegistered
//	RuntimeError: concurrent poll() invocation ErrConcurrentPoll
package pyselect
