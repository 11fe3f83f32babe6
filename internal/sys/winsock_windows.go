package sys

import (
	"sync"

	"golang.org/x/sys/windows"
)

// What golang.org/x/sys lacks of Winsock, and of completion ports.
const (
	soType             = 0x1008     // SO_TYPE
	soExclusiveAddrUse = ^4         // SO_EXCLUSIVEADDRUSE, which is ~SO_REUSEADDR
	fionbio            = 0x8004667e // FIONBIO
	sioBaseHandle      = 0x48000022 // SIO_BASE_HANDLE
	sioBspHandleSelect = 0x4800001c // SIO_BSP_HANDLE_SELECT
	sioBspHandlePoll   = 0x4800001d // SIO_BSP_HANDLE_POLL
)

var (
	ws2        = windows.NewLazySystemDLL("ws2_32.dll")
	procAccept = ws2.NewProc("accept")
	procSelect = ws2.NewProc("select")

	kernel32                        = windows.NewLazySystemDLL("kernel32.dll")
	procGetQueuedCompletionStatusEx = kernel32.NewProc("GetQueuedCompletionStatusEx")
)

// StartWinsock must be called before anything else of Winsock. It may be done by package net already, which is no harm.
var StartWinsock = sync.OnceValue(func() error {
	const version = 0x202
	var data windows.WSAData
	return windows.WSAStartup(version, &data)
})
