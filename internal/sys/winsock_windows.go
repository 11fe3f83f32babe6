package sys

import (
	"sync"
	"unsafe"

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

// PrivateSocket are the flags of a socket that no process inherits.
const PrivateSocket = windows.WSA_FLAG_OVERLAPPED | windows.WSA_FLAG_NO_HANDLE_INHERIT

// Duplicate returns a duplicate of a socket.
func Duplicate(fd int, flags uint32) (windows.Handle, error) {
	var info windows.WSAProtocolInfo
	if err := windows.WSADuplicateSocket(windows.Handle(fd), windows.GetCurrentProcessId(), &info); err != nil {
		return windows.InvalidHandle, err
	}
	return FromInfo(&info, flags)
}

// FromInfo returns the duplicate of a socket that WSADuplicateSocket describes.
func FromInfo(info *windows.WSAProtocolInfo, flags uint32) (windows.Handle, error) {
	const fromInfo = -1
	return windows.WSASocket(fromInfo, fromInfo, fromInfo, info, 0, flags)
}

// SetNonblock makes a socket non-blocking, or blocking.
func SetNonblock(fd int, nonblocking bool) error {
	var on, returned uint32
	if nonblocking {
		on = 1
	}
	return windows.WSAIoctl(windows.Handle(fd), fionbio, (*byte)(unsafe.Pointer(&on)), 4, nil, 0, &returned, nil, 0)
}
