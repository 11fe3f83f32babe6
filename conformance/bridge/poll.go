package main

// #include "bridge.h"
import "C"

import (
	"time"

	"github.com/pyselect/pyselect"
)

//export NewPoll
func NewPoll() C.uintptr_t {
	count("NewPoll")
	return newHandle(pyselect.NewPoll())
}

//export PollRegister
func PollRegister(h C.uintptr_t, fd C.object, mask C.uint32_t, f *C.failure) {
	count("Poll.Register")
	fail(f, value[*pyselect.Poll](h).Register(fromPython(fd), pyselect.PollMask(mask)))
}

//export PollModify
func PollModify(h C.uintptr_t, fd C.object, mask C.uint32_t, f *C.failure) {
	count("Poll.Modify")
	fail(f, value[*pyselect.Poll](h).Modify(fromPython(fd), pyselect.PollMask(mask)))
}

//export PollUnregister
func PollUnregister(h C.uintptr_t, fd C.object, f *C.failure) {
	count("Poll.Unregister")
	fail(f, value[*pyselect.Poll](h).Unregister(fromPython(fd)))
}

//export PollPoll
func PollPoll(h C.uintptr_t, timeout C.int64_t, result *C.event_list, f *C.failure) {
	count("Poll.Poll")
	events, err := value[*pyselect.Poll](h).Poll(time.Duration(timeout))
	fail(f, err)
	result.items, result.len = allocate(events, func(e pyselect.PollEvent) C.event {
		return C.event{fd: C.int(e.Fd), events: C.uint32_t(e.Events)}
	})
}
