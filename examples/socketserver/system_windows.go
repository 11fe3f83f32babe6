package main

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

var newServerSelector = selectors.NewSelectSelector // as in Python, where there is no PollSelector

// startWith starts a process that gets a request, and closes that here. The process reads from its standard input what it has to know of
// the duplicate that is made for it: to let it inherit a socket is not safe with all providers of sockets, nor possible under Wine.
func startWith(request int, program string, attr *os.ProcAttr) (*os.Process, error) {
	defer windows.Closesocket(windows.Handle(request))
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	defer r.Close()
	attr.Files[0] = r
	child, err := os.StartProcess(program, os.Args, attr)
	if err != nil {
		return nil, err
	}
	var info windows.WSAProtocolInfo
	if err = windows.WSADuplicateSocket(windows.Handle(request), uint32(child.Pid), &info); err == nil {
		err = binary.Write(w, binary.NativeEndian, &info)
	}
	if err != nil {
		child.Kill()
		child.Wait()
		return nil, err
	}
	return child, nil
}

// inherited returns the request that this process has got.
func inherited() (*socket.Socket, error) {
	var info windows.WSAProtocolInfo
	if err := binary.Read(os.Stdin, binary.NativeEndian, &info); err != nil {
		return nil, err
	}
	if err := windows.WSAStartup(0x202, new(windows.WSAData)); err != nil {
		return nil, err
	}
	const fromInfo = -1
	request, err := windows.WSASocket(fromInfo, fromInfo, fromInfo, &info, 0, windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return nil, err
	}
	return socket.Adopt(int(request))
}
