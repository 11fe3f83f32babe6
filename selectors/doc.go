// Package selectors is Python's selectors module for Go: I/O multiplexing on top of the facilities of package pyselect.
//
// A selector is a set of file objects, each registered with the events to wait for and with data of the caller's, often the
// function to call. [DefaultSelector] is the best one of the system:
//
//	sel, err := selectors.NewDefaultSelector()
//	...
//	sel.Register(listener, selectors.EventRead, accept)
//	for ready, err := range selectors.Events(ctx, sel) {
//		...
//		ready.Key.Data.(func(*selectors.SelectorKey, selectors.Event))(ready.Key, ready.Events)
//	}
//
// All selectors behave alike and implement [BaseSelector], where the methods are described. They are safe for concurrent
// use: what another goroutine registers, modifies or unregisters takes effect on a Select that is already waiting, any
// number of Selects may wait at once, and Wakeup, a context and Close end them.
//
// On Windows, selectors take sockets only. The default there is AfdSelector, which Python has not.
//
// Solaris and illumos also have a DevpollSelector. In Python it is the default there. Here it is not, because nobody has tried it.
//
// Errors are as in package pyselect: that of an operation is a [*pyselect.OpError]. Where Python raises ValueError for something that is no file object, the error is
// pyselect.ErrNotWaitable; where it raises KeyError, it is [ErrRegistered] or [ErrNotRegistered].
package selectors
