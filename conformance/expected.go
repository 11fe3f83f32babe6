package main

// expected are the tests that end in another way than on plain CPython, by suite, with the reason.
var expected = map[string]map[string]string{
	"test_select": {
		"test.test_select.SelectTestCase.test_select_mutated": "its fileno method shortens the list that select is reading: " +
			"Go's slices keep their length, so that all of it is waited for",
	},
	"test_poll": {
		"test.test_poll.PollTests.test_poll_c_limits": "expects an OverflowError for a timeout of more than INT_MAX milliseconds, " +
			"which works here",
	},
	"test_socket": {
		"test.test_socket.NonBlockingTCPTests.testSetBlocking":          nonblocking,
		"test.test_socket.NonBlockingTCPTests.testSetBlocking_overflow": nonblocking,
		"test.test_socket.NonblockConstantTest.test_SOCK_NONBLOCK":      nonblocking,
		"test.test_socket.TestExceptions.test_setblocking_invalidfd": "closes the descriptor behind the socket's back, and expects " +
			"setblocking to fail: here it makes no system call",
	},
	"test_selectors": {
		"test.test_selectors.DefaultSelectorTestCase.test_modify_unregister": mocked,
		"test.test_selectors.PollSelectorTestCase.test_modify_unregister":    mocked,
		"test.test_selectors.EpollSelectorTestCase.test_modify_unregister":   mocked,
	},
}

const mocked = "replaces the poll object inside of CPython's class by a mock, and there is none here; " +
	"the same is tested in Go, as TestModifyRefusedByKernel"

const nonblocking = "asks the kernel whether the descriptor of a blocking socket is blocking: here it never is, and a goroutine waits " +
	"instead of the kernel"

// leftOut are tests that are not run, by suite, with the reason.
var leftOut = map[string]map[string]string{
	"test_socket": {
		"test.test_socket.ThreadedVSOCKSocketStreamTest": "connects to itself by way of the host of a virtual machine, and waits for " +
			"ever where there is none, on plain CPython too",
		"test.test_socket.BasicCANTest":         families,
		"test.test_socket.CANTest":              families,
		"test.test_socket.ISOTPTest":            families,
		"test.test_socket.J1939Test":            families,
		"test.test_socket.LinuxKernelCryptoAPI": families,
		"test.test_socket.BasicQIPCRTRTest":     families,
		"test.test_socket.TIPCTest":             families,
		"test.test_socket.TIPCThreadableTest":   families,
		"test.test_socket.BasicBluetoothTest":   families,
	},
}

const families = "the stand-in for _socket does not write addresses of this family"
