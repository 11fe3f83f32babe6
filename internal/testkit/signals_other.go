//go:build unix && !linux

package testkit

import "golang.org/x/sys/unix"

func signalThreads(unix.Signal) {}
