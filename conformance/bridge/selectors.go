package main

// #include "bridge.h"
import "C"

import (
	"slices"
	"time"

	"github.com/pyselect/pyselect/selectors"
)

// A selector counts its calls under the name of its type.
type selector struct {
	selectors.BaseSelector
	name string
}

//export NewSelectSelector
func NewSelectSelector(f *C.failure) C.uintptr_t {
	sel, err := selectors.NewSelectSelector()
	return newSelector("SelectSelector", sel, err, f)
}

//export NewPollSelector
func NewPollSelector(f *C.failure) C.uintptr_t {
	sel, err := selectors.NewPollSelector()
	return newSelector("PollSelector", sel, err, f)
}

//export NewEpollSelector
func NewEpollSelector(f *C.failure) C.uintptr_t {
	sel, err := selectors.NewEpollSelector()
	return newSelector("EpollSelector", sel, err, f)
}

//export NewDefaultSelector
func NewDefaultSelector(f *C.failure) C.uintptr_t {
	sel, err := selectors.NewDefaultSelector()
	return newSelector("DefaultSelector", sel, err, f)
}

func newSelector(name string, sel selectors.BaseSelector, err error, f *C.failure) C.uintptr_t {
	count("New" + name)
	if err != nil {
		fail(f, err)
		return 0
	}
	return newHandle(selector{sel, name})
}

func called(h C.uintptr_t, method string) selector {
	sel := value[selector](h)
	count(sel.name + "." + method)
	return sel
}

//export SelectorRegister
func SelectorRegister(h C.uintptr_t, fileobj C.object, events C.uint8_t, data C.uintptr_t, result *C.selector_key, f *C.failure) {
	key, err := called(h, "Register").Register(fromPython(fileobj), selectors.Event(events), data)
	setKey(result, key, err, f)
}

//export SelectorUnregister
func SelectorUnregister(h C.uintptr_t, fileobj C.object, result *C.selector_key, f *C.failure) {
	key, err := called(h, "Unregister").Unregister(fromPython(fileobj))
	setKey(result, key, err, f)
}

//export SelectorModify
func SelectorModify(h C.uintptr_t, fileobj C.object, events C.uint8_t, data C.uintptr_t, result *C.selector_key, f *C.failure) {
	key, err := called(h, "Modify").Modify(fromPython(fileobj), selectors.Event(events), data)
	setKey(result, key, err, f)
}

//export SelectorKey
func SelectorKey(h C.uintptr_t, fileobj C.object, result *C.selector_key, f *C.failure) {
	key, err := called(h, "Key").Key(fromPython(fileobj))
	setKey(result, key, err, f)
}

func setKey(result *C.selector_key, key *selectors.SelectorKey, err error, f *C.failure) {
	if err != nil {
		fail(f, err)
		return
	}
	*result = keyToPython(key)
}

func keyToPython(key *selectors.SelectorKey) C.selector_key {
	return C.selector_key{
		fileobj: toPython(key.Fileobj),
		fd:      C.int(key.Fd),
		events:  C.int(key.Events),
		data:    key.Data.(C.uintptr_t),
	}
}

//export SelectorSelect
func SelectorSelect(h C.uintptr_t, timeout C.int64_t, result *C.key_list, f *C.failure) {
	ready, err := called(h, "Select").Select(time.Duration(timeout))
	fail(f, err)
	result.items, result.len = allocate(ready, func(r selectors.Ready) C.selector_key {
		key := keyToPython(r.Key)
		key.ready = C.int(r.Events)
		return key
	})
}

//export SelectorKeys
func SelectorKeys(h C.uintptr_t, result *C.key_list) {
	keys := slices.Collect(called(h, "Keys").Keys())
	result.items, result.len = allocate(keys, keyToPython)
}

//export SelectorLen
func SelectorLen(h C.uintptr_t) C.int64_t {
	return C.int64_t(called(h, "Len").Len())
}

//export SelectorFileno
func SelectorFileno(h C.uintptr_t, f *C.failure) C.int {
	sel := called(h, "Fileno").BaseSelector.(*selectors.EpollSelector)
	fd, err := sel.Fileno()
	fail(f, err)
	return C.int(fd)
}

//export SelectorClose
func SelectorClose(h C.uintptr_t, f *C.failure) {
	fail(f, called(h, "Close").Close())
}
