//go:build !unix && !windows

package selectors

// DefaultSelector is the best selector of the system: EpollSelector on Linux, KqueueSelector on macOS and the BSDs,
// PollSelector on other Unix systems, AfdSelector on Windows, and SelectSelector elsewhere.
type DefaultSelector = SelectSelector

// NewDefaultSelector returns an empty DefaultSelector. The error is an errno, or errors.ErrUnsupported where
// there is no select(2).
func NewDefaultSelector() (*DefaultSelector, error) { return NewSelectSelector() }
