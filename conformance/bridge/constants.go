package main

import "C"

import (
	"encoding/json"

	"github.com/pyselect/pyselect"
)

// Constants returns the constants of Python's select module by name, as JSON.
//
//export Constants
func Constants() *C.char {
	text, err := json.Marshal(map[string]any{
		"PIPE_BUF": pyselect.PIPE_BUF,

		"POLLIN":     pyselect.POLLIN,
		"POLLPRI":    pyselect.POLLPRI,
		"POLLOUT":    pyselect.POLLOUT,
		"POLLERR":    pyselect.POLLERR,
		"POLLHUP":    pyselect.POLLHUP,
		"POLLNVAL":   pyselect.POLLNVAL,
		"POLLRDNORM": pyselect.POLLRDNORM,
		"POLLRDBAND": pyselect.POLLRDBAND,
		"POLLWRNORM": pyselect.POLLWRNORM,
		"POLLWRBAND": pyselect.POLLWRBAND,
		"POLLMSG":    pyselect.POLLMSG,
		"POLLRDHUP":  pyselect.POLLRDHUP,

		"EPOLLIN":        pyselect.EPOLLIN,
		"EPOLLPRI":       pyselect.EPOLLPRI,
		"EPOLLOUT":       pyselect.EPOLLOUT,
		"EPOLLERR":       pyselect.EPOLLERR,
		"EPOLLHUP":       pyselect.EPOLLHUP,
		"EPOLLRDNORM":    pyselect.EPOLLRDNORM,
		"EPOLLRDBAND":    pyselect.EPOLLRDBAND,
		"EPOLLWRNORM":    pyselect.EPOLLWRNORM,
		"EPOLLWRBAND":    pyselect.EPOLLWRBAND,
		"EPOLLMSG":       pyselect.EPOLLMSG,
		"EPOLLRDHUP":     pyselect.EPOLLRDHUP,
		"EPOLLEXCLUSIVE": pyselect.EPOLLEXCLUSIVE,
		"EPOLLWAKEUP":    pyselect.EPOLLWAKEUP,
		"EPOLLONESHOT":   pyselect.EPOLLONESHOT,
		"EPOLLET":        pyselect.EPOLLET,
	})
	if err != nil {
		panic(err)
	}
	return C.CString(string(text))
}
