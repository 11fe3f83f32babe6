package main

// #include "bridge.h"
import "C"

import (
	"time"

	"github.com/pyselect/pyselect"
)

//export NewEpoll
func NewEpoll(f *C.failure) C.uintptr_t {
	count("NewEpoll")
	return newEpoll(f)(pyselect.NewEpoll())
}

//export EpollFromFd
func EpollFromFd(fd C.int, f *C.failure) C.uintptr_t {
	count("EpollFromFd")
	return newEpoll(f)(pyselect.EpollFromFd(int(fd)))
}

func newEpoll(f *C.failure) func(*pyselect.Epoll, error) C.uintptr_t {
	return func(e *pyselect.Epoll, err error) C.uintptr_t {
		if err != nil {
			fail(f, err)
			return 0
		}
		return newHandle(e)
	}
}

//export EpollClose
func EpollClose(h C.uintptr_t, f *C.failure) {
	count("Epoll.Close")
	fail(f, value[*pyselect.Epoll](h).Close())
}

//export EpollClosed
func EpollClosed(h C.uintptr_t) C.int {
	count("Epoll.Closed")
	if value[*pyselect.Epoll](h).Closed() {
		return 1
	}
	return 0
}

//export EpollFileno
func EpollFileno(h C.uintptr_t, f *C.failure) C.int {
	count("Epoll.Fileno")
	fd, err := value[*pyselect.Epoll](h).Fileno()
	fail(f, err)
	return C.int(fd)
}

//export EpollRegister
func EpollRegister(h C.uintptr_t, fd C.object, mask C.uint32_t, f *C.failure) {
	count("Epoll.Register")
	fail(f, value[*pyselect.Epoll](h).Register(fromPython(fd), pyselect.EpollMask(mask)))
}

//export EpollModify
func EpollModify(h C.uintptr_t, fd C.object, mask C.uint32_t, f *C.failure) {
	count("Epoll.Modify")
	fail(f, value[*pyselect.Epoll](h).Modify(fromPython(fd), pyselect.EpollMask(mask)))
}

//export EpollUnregister
func EpollUnregister(h C.uintptr_t, fd C.object, f *C.failure) {
	count("Epoll.Unregister")
	fail(f, value[*pyselect.Epoll](h).Unregister(fromPython(fd)))
}

//export EpollPoll
func EpollPoll(h C.uintptr_t, timeout C.int64_t, maxevents C.int, result *C.event_list, f *C.failure) {
	count("Epoll.Poll")
	events, err := value[*pyselect.Epoll](h).Poll(time.Duration(timeout), int(maxevents))
	fail(f, err)
	result.items, result.len = allocate(events, func(e pyselect.EpollEvent) C.event {
		return C.event{fd: C.int(e.Fd), events: C.uint32_t(e.Events)}
	})
}
