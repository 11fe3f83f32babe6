// Package pyselect is Python's select module for Go: Select, Poll, Epoll, Kqueue, Devpoll and their constants, under their
// Python names and with their Python semantics. Package selectors is Python's selectors module on top of it, package socket
// Python's sockets, package socketserver Python's servers, and package ssl Python's TLS.
//
// The objects exist where the kernel has the facility, as in Python: Poll on Unix, Epoll on Linux, Kqueue on macOS and the
// BSDs, Devpoll on Solaris and illumos, where nobody has tried it. Select is everywhere; on Windows it takes sockets only, and
// where there is no select(2), on js, wasip1 and plan9, it is an error that is errors.ErrUnsupported.
//
// # Waitable objects
//
// Whatever Python takes as a file object is an any here, and [Fileno] says what may be passed: a descriptor as an int, a
// net.Conn, a net.Listener, an *os.File, anything with a Fileno or an Fd method. Its blocking mode is left as it is. A Poll,
// an Epoll, a Devpoll and a selector keep a registered object alive until it is unregistered. A Kqueue does not: it knows
// descriptors only.
//
// # Timeouts
//
// A timeout is a [time.Duration] where Python has seconds or milliseconds. [Forever] is None. If nothing becomes ready, a wait
// ends when its timeout is over, never earlier, whatever signals arrive. It ends later only by what the kernel's timers and the
// scheduler need, even if the timeout is very short. A timeout of zero looks and does not wait. A negative timeout is an error in
// Select and Kqueue, and waits for ever in Poll and Epoll, as in Python. It waits for ever in Devpoll too, where Python has an
// OverflowError for less than -1 millisecond.
//
// # Waiting
//
// On Linux, some waits hold a thread because that is cheaper: that of an epoll whose loop is the only one of the program, and the
// first few of the other facilities. Others hold a thread because only a thread gets the right answer: those for files that are
// neither sockets, pipes, terminals, eventfds, timerfds nor inotify descriptors. All other goroutines that wait need no thread,
// however many they are. On macOS and the BSDs this is so of waits for kqueues, and on Windows of those of an AfdSelector; every
// other wait there holds a thread, and every wait on the other systems. Goroutines that wait for the same selector or the same
// Devpoll hold one thread between them. Go ends a program with more than ten thousand threads. A context ends a wait of
// PollContext and its like; Close ends the waits of an Epoll, a Kqueue or a Devpoll.
//
// # Errors
//
// The error of an operation is an [*OpError]: it names the operation and, where there is one, the descriptor. Use [errors.Is] to
// tell errors apart:
//
//	Python                                     here
//	OSError with an errno                      unix.EBADF, unix.EPERM, ...;
//	                                           also fs.ErrExist for EEXIST, fs.ErrNotExist for ENOENT
//	ValueError: a bad argument                 os.ErrInvalid
//	ValueError: it is closed                   os.ErrClosed
//	TypeError: not a file object               ErrNotWaitable
//	KeyError                                   ErrNotRegistered
//	RuntimeError: concurrent poll() invocation ErrConcurrentPoll
//
// # Compatibility
//
// From version 1.0 on, a program that uses packages pyselect, selectors, socket, socketserver and ssl as their documentation has it
// will compile with every later 1.x, and do the same. What may change is what was a fault, the texts of errors and of String
// methods, and the numbers of constants, which are the kernel's. Structures may get fields, so name those that you set; interfaces
// that a program need not implement, like selectors.BaseSelector, may get methods. A later version may need a newer Go, up to
// the older of the two releases that are supported. Nothing is promised of the folders internal, examples, bench, conformance and
// proof. Versions before 1.0 promise nothing, but say in CHANGELOG what has changed.
package pyselect
