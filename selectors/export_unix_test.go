//go:build unix

package selectors

var CheckWatchable = checkWatchable
