package sys

import "runtime"

// The sets of an FdSets.
const (
	Readable = iota
	Writable
	Exceptional
)

// FailedConnectIsExceptional says that a non-blocking connect that has failed is in the exceptional set only. Elsewhere it is
// readable and writable.
const FailedConnectIsExceptional = runtime.GOOS == "windows"
