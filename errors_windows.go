package pyselect

import "golang.org/x/sys/windows"

const kernelTimeout = windows.WSAETIMEDOUT
