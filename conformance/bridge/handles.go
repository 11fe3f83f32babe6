// The bridge is pyselect as a C shared object, for the modules in conformance/python. Each function does what its name
// says by one call of pyselect, and counts it.
package main

// #include <stdlib.h>
// #include "bridge.h"
//
// static int call_fileno(fileno_function f, uintptr_t obj, int64_t *fd) { return f(obj, fd); }
import "C"

import (
	"encoding/json"
	"io"
	"runtime/cgo"
	"sync"
	"unsafe"
)

func main() {}

// calls counts the calls of pyselect, by name, and handles are the values that Python holds.
var (
	mu      sync.Mutex
	calls   = map[string]int{}
	handles int
)

func count(name string) {
	mu.Lock()
	defer mu.Unlock()
	calls[name]++
}

func newHandle(v any) C.uintptr_t {
	mu.Lock()
	defer mu.Unlock()
	handles++
	return C.uintptr_t(cgo.NewHandle(v))
}

func value[T any](h C.uintptr_t) T { return cgo.Handle(h).Value().(T) }

// Release ends the use of a handle, and closes what it stands for, as Python does with an object that nobody refers to. It is
// called by release_capsule.
//
//export Release
func Release(h C.uintptr_t) {
	if c, ok := value[any](h).(io.Closer); ok {
		c.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	handles--
	cgo.Handle(h).Delete()
}

// Statistics returns the calls and the number of handles, as JSON.
//
//export Statistics
func Statistics() *C.char {
	mu.Lock()
	defer mu.Unlock()
	text, err := json.Marshal(map[string]any{"calls": calls, "handles": handles})
	if err != nil {
		panic(err)
	}
	return C.CString(string(text))
}

//export Free
func Free(p unsafe.Pointer) { C.free(p) }

var filenoFunction C.fileno_function

// SetFileno says how to call the fileno method of a Python object.
//
//export SetFileno
func SetFileno(f C.fileno_function) { filenoFunction = f }

// A waitable is a Python object with a fileno method.
type waitable struct{ addr C.uintptr_t }

func (w waitable) Fileno() (int, error) {
	count("waitable.Fileno")
	var fd C.int64_t
	if C.call_fileno(filenoFunction, w.addr, &fd) != 0 {
		return -1, errRaised
	}
	return int(fd), nil
}

// An opaque is a Python object without one.
type opaque struct{ addr C.uintptr_t }

func fromPython(o C.object) any {
	switch o.kind {
	case C.NUMBER:
		return int(o.fd)
	case C.WAITABLE:
		return waitable{o.addr}
	}
	return opaque{o.addr}
}

func toPython(v any) C.object {
	switch v := v.(type) {
	case waitable:
		return C.object{kind: C.WAITABLE, addr: v.addr}
	case opaque:
		return C.object{kind: C.OPAQUE, addr: v.addr}
	}
	return C.object{kind: C.NUMBER, fd: C.int64_t(v.(int))}
}

// allocate makes a C array of what convert makes of a list.
func allocate[G, P any](list []G, convert func(G) P) (*P, C.int64_t) {
	if len(list) == 0 {
		return nil, 0
	}
	var p P
	array := (*P)(C.malloc(C.size_t(len(list)) * C.size_t(unsafe.Sizeof(p))))
	for i, v := range list {
		unsafe.Slice(array, len(list))[i] = convert(v)
	}
	return array, C.int64_t(len(list))
}
