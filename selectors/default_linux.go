package selectors

// DefaultSelector is the best selector of the system: EpollSelector on Linux, KqueueSelector on macOS and the BSDs,
// PollSelector on other Unix systems, AfdSelector on Windows, and SelectSelector elsewhere.
type DefaultSelector = EpollSelector

// NewDefaultSelector returns an empty DefaultSelector. The error is an errno, like unix.EMFILE.
func NewDefaultSelector() (*DefaultSelector, error) { return NewEpollSelector() }
