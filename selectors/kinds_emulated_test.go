//go:build emulated_devpoll

package selectors_test

func init() {
	k := devpollKind
	k.emulated = true
	kinds = append(kinds, k)
}
