//go:build unix && !linux

package docs

import "github.com/pyselect/pyselect"

func newPoller() (poller, error) { return pyselect.NewPoll(), nil }
