package main

// #include "bridge.h"
import "C"

import (
	"time"
	"unsafe"

	"github.com/pyselect/pyselect"
)

// Select takes and returns three lists.
//
//export Select
func Select(lists *C.object_list, timeout C.int64_t, result *C.object_list, f *C.failure) {
	count("Select")
	var in [3][]any
	for i, list := range unsafe.Slice(lists, 3) {
		for _, o := range unsafe.Slice(list.items, list.len) {
			in[i] = append(in[i], fromPython(o))
		}
	}
	readable, writable, exceptional, err := pyselect.Select(in[0], in[1], in[2], time.Duration(timeout))
	fail(f, err)
	out := unsafe.Slice(result, 3)
	for i, list := range [][]any{readable, writable, exceptional} {
		out[i].items, out[i].len = allocate(list, toPython)
	}
}
