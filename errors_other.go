//go:build !windows

package pyselect

import "syscall"

var kernelTimeout error = syscall.ETIMEDOUT
