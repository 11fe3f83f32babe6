package selectors_test

import "golang.org/x/sys/windows"

var kinds = []kind{selectKind}

// errBadFd is the system's error for a descriptor that is not open, or not a socket.
const errBadFd = windows.WSAENOTSOCK
