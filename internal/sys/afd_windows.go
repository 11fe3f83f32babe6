package sys

import (
	"math"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// \Device\Afd is the driver beneath Winsock. What select asks it for can be asked for without waiting: the answer arrives at a
// completion port. Neither the request nor its structures are documented by Microsoft. They are as wepoll, libuv, mio and polling
// use them.

const ioctlAfdPoll = 0x00012024

// The events of a poll.
const (
	afdReceive     = 0x001
	afdSend        = 0x004
	afdDisconnect  = 0x008
	afdAbort       = 0x010
	afdLocalClose  = 0x020 // the last handle of the socket was closed; reported whether it is asked for or not
	afdAccept      = 0x080
	afdConnectFail = 0x100
)

// What makes a socket readable and writable. As on other systems, a failed connect makes it writable, and a reset both.
const (
	afdIn  = afdReceive | afdAccept | afdDisconnect | afdAbort
	afdOut = afdSend | afdConnectFail | afdAbort
)

func afdEvents(events uint16) (afd uint32) {
	if events&In != 0 {
		afd |= afdIn
	}
	if events&Out != 0 {
		afd |= afdOut
	}
	return afd
}

func fromAfdEvents(afd uint32) (events uint16) {
	if afd&afdIn != 0 {
		events |= In
	}
	if afd&afdOut != 0 {
		events |= Out
	}
	return events
}

// An AfdPoll asks once for one of the events of a socket. The kernel writes to it from Start until its completion has been taken
// from the port, which may be after a Cancel: so long it must not be started again, and has to be kept reachable.
type AfdPoll struct {
	overlapped windows.Overlapped // the first field, because completions point to it
	info       afdPollInfo
	device     AfdDevice
	pending    bool
	Owner      any
}

// An afdPollInfo is AFD_POLL_INFO with one socket.
type afdPollInfo struct {
	timeout   int64
	number    uint32
	exclusive uint32
	socket    BaseSocket
	events    uint32 // to wait for, or what was found
	status    uint32
	_         uint32 // C has a multiple of 8 bytes also on 386
}

// Start asks for events through a device; the end of the socket is asked for in any case. A socket should not be in two polls at a time, and
// must not be in two of one device: Windows mixes up their events. The error is WSAENOTSOCK if the socket is not open.
func (p *AfdPoll) Start(device AfdDevice, socket BaseSocket, events uint16) error {
	p.overlapped, p.device = windows.Overlapped{}, device
	p.info = afdPollInfo{timeout: math.MaxInt64, number: 1, socket: socket, events: afdEvents(events) | afdLocalClose}
	buffer, size := (*byte)(unsafe.Pointer(&p.info)), uint32(unsafe.Sizeof(p.info))
	err := windows.DeviceIoControl(windows.Handle(device), ioctlAfdPoll, buffer, size, buffer, size, nil, &p.overlapped)
	switch err {
	case nil, windows.ERROR_IO_PENDING: // a completion follows in both cases
		p.pending = true
		return nil
	case windows.ERROR_INVALID_HANDLE:
		return windows.WSAENOTSOCK
	}
	return err
}

// Pending reports whether the completion has not been taken from the port yet.
func (p *AfdPoll) Pending() bool { return p.pending }

// Cancel lets the completion come now, if it has not come yet.
func (p *AfdPoll) Cancel() {
	if p.pending {
		windows.CancelIoEx(windows.Handle(p.device), &p.overlapped) // it fails if there is nothing to cancel any more
	}
}

// Found reports whether a poll that is complete has found something, and was not cancelled.
func (p *AfdPoll) Found() bool { return p.found() != 0 }

// found returns the events that were found by a poll that is complete. One that has failed is said to have found them all: what the socket
// is used for then shows the error.
func (p *AfdPoll) found() uint32 {
	switch status := windows.NTStatus(p.overlapped.Internal); {
	case status == windows.STATUS_CANCELLED || int32(status) >= 0 && p.info.number == 0:
		return 0
	case int32(status) < 0:
		return afdIn | afdOut
	}
	return p.info.events
}

// An AfdDevice is a handle of \Device\Afd that is no socket.
type AfdDevice windows.Handle

// CancelAll cancels all polls that were started with the device.
func (d AfdDevice) CancelAll() { windows.CancelIoEx(windows.Handle(d), nil) }

// Close closes the device, which no poll may use any more.
func (d AfdDevice) Close() { windows.CloseHandle(windows.Handle(d)) }

// An AfdPort is a completion port for polls.
type AfdPort struct{ port windows.Handle }

// NewAfdPort returns a port.
func NewAfdPort() (AfdPort, error) {
	if err := StartWinsock(); err != nil {
		return AfdPort{}, err
	}
	const threads = math.MaxUint32 // which work on what they have taken: those of Go do other things
	port, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, threads)
	return AfdPort{port}, err
}

// Open returns a new device. Polls that are started with it complete at the port.
func (p AfdPort) Open() (AfdDevice, error) {
	name, err := windows.NewNTUnicodeString(`\Device\Afd\pyselect`)
	if err != nil {
		return 0, err
	}
	attributes := &windows.OBJECT_ATTRIBUTES{ObjectName: name}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	var device windows.Handle
	err = windows.NtCreateFile(&device, windows.SYNCHRONIZE, attributes, new(windows.IO_STATUS_BLOCK), nil, 0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, windows.FILE_OPEN, 0, 0, 0)
	if status, ok := err.(windows.NTStatus); ok {
		err = status.Errno()
	}
	if err != nil {
		return 0, err
	}
	if _, err := windows.CreateIoCompletionPort(device, p.port, 0, 0); err != nil {
		windows.CloseHandle(device)
		return 0, err
	}
	return AfdDevice(device), nil
}

// An AfdPacket is what a port gives out: OVERLAPPED_ENTRY.
type AfdPacket struct {
	key        uintptr
	overlapped *windows.Overlapped
	status     uintptr
	bytes      uint32
}

// Poll returns the poll that is complete, or nil if the packet is one of Post. It is called once. The pointer was written without the
// knowledge of the garbage collector: if it stayed, it could outlive the poll, or keep it alive.
func (p *AfdPacket) Poll() *AfdPoll {
	poll := (*AfdPoll)(unsafe.Pointer(p.overlapped))
	p.overlapped = nil
	if poll != nil {
		poll.pending = false
	}
	return poll
}

// Wait takes packets from the port, in the order in which they came. It waits for the first one until the deadline has passed, for
// which the clock of the system ticks up to 64 times a second only.
func (p AfdPort) Wait(packets []AfdPacket, deadline Deadline) (n int, err error) {
	timeout := uint32(windows.INFINITE)
	if deadline != Never {
		timeout = uint32((min(deadline.Left(), longest) + time.Millisecond - 1) / time.Millisecond)
	}
	var count uint32
	ok, _, errno := syscall.SyscallN(procGetQueuedCompletionStatusEx.Addr(), uintptr(p.port), uintptr(unsafe.Pointer(&packets[0])),
		uintptr(len(packets)), uintptr(unsafe.Pointer(&count)), uintptr(timeout), 0)
	switch {
	case ok != 0:
		return int(count), nil
	case errno == syscall.Errno(windows.WAIT_TIMEOUT):
		return 0, nil
	}
	return 0, errno
}

// Event returns an event that is set while there is something to take from the port. That a port can be waited for so is not documented.
func (p AfdPort) Event() Event { return Event(p.port) }

// Post ends a Wait, also if that is still to begin.
func (p AfdPort) Post() { windows.PostQueuedCompletionStatus(p.port, 0, 0, nil) }

// Close closes the port.
func (p AfdPort) Close() { windows.CloseHandle(p.port) }

// A BaseSocket is a socket that the driver knows.
type BaseSocket windows.Handle

// Base returns the socket that the driver knows. A layered service provider hands out others, and some do not let one ask for
// the base below all layers: then the next layer below is asked. The error is WSAENOTSOCK for what is no open socket.
func Base(fd int) (BaseSocket, error) {
	if err := Probe(fd); err != nil { // Wine calls whatever it is given a base
		return 0, err
	}
	socket := windows.Handle(fd)
	for {
		base, err := socketBelow(socket, sioBaseHandle)
		if err == nil || err == windows.WSAENOTSOCK {
			return BaseSocket(base), err
		}
		below := socket
		for _, code := range [...]uint32{sioBspHandleSelect, sioBspHandlePoll} {
			if s, err := socketBelow(socket, code); err == nil && s != socket {
				below = s
				break
			}
		}
		if below == socket {
			return 0, err
		}
		socket = below
	}
}

func socketBelow(socket windows.Handle, code uint32) (below windows.Handle, err error) {
	var returned uint32
	err = windows.WSAIoctl(socket, code, nil, 0, (*byte)(unsafe.Pointer(&below)), uint32(unsafe.Sizeof(below)), &returned, nil, 0)
	return below, err
}
