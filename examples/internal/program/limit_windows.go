package program

import (
	"errors"

	"golang.org/x/sys/windows"
)

// Descriptors returns how many handles of files and sockets a process can have, if there is memory for them.
func Descriptors() (int, error) { return 1 << 24, nil }

// OutOfDescriptors reports whether an error says that no more can be opened now.
func OutOfDescriptors(err error) bool {
	return errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES) || errors.Is(err, windows.ERROR_NO_SYSTEM_RESOURCES)
}
