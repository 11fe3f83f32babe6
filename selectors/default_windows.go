package selectors

// DefaultSelector is the best selector of the system: EpollSelector on Linux, KqueueSelector on macOS and the BSDs,
// PollSelector on other Unix systems, AfdSelector on Windows, and SelectSelector elsewhere.
type DefaultSelector = AfdSelector

// NewDefaultSelector returns an empty DefaultSelector. The error is an errno, like windows.ERROR_NO_SYSTEM_RESOURCES.
func NewDefaultSelector() (*DefaultSelector, error) { return NewAfdSelector() }
