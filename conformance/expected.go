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
	"test_ssl": {
		"test.test_ssl.BasicSocketTests.test_ssl_types":                "wants the classes of _ssl to be written in C",
		"test.test_ssl.SimpleBackgroundTests.test_get_ca_certs_capath": "wants OpenSSL to have loaded an authority to verify a server",
		"test.test_ssl.ThreadedTests.test_alpn_protocols": "a server of crypto/tls refuses a client that has other protocols only, as " +
			"RFC 7301 demands: CPython's goes on without one",
		"test.test_ssl.ThreadedTests.test_crl_check":            "crypto/tls looks at no revocation lists",
		"test.test_ssl.ThreadedTests.test_dh_params":            "there is no finite-field Diffie-Hellman in crypto/tls",
		"test.test_ssl.ThreadedTests.test_session":              sessions,
		"test.test_ssl.ThreadedTests.test_session_handling":     sessions,
		"test.test_ssl.ThreadedTests.test_shared_ciphers":       "there is no list of the ciphers that both sides have in crypto/tls",
		"test.test_ssl.ThreadedTests.test_sni_callback_alert":   alerts,
		"test.test_ssl.ThreadedTests.test_sni_callback_raising": alerts,
		"test.test_ssl.ThreadedTests.test_tls_unique_channel_binding": "the binding tls-unique is not defined for TLS 1.3, and crypto/tls has " +
			"none: OpenSSL has one of its own",
	},
	"twisted.internet": {
		"twisted.internet.test.test_unix.UNIXFDPortTestsBuilder_SelectReactorTests.test_closePeerOnEMFILE":          adoptedLast,
		"twisted.internet.test.test_unix.UNIXFDPortTestsBuilder_PollReactorTests.test_closePeerOnEMFILE":            adoptedLast,
		"twisted.internet.test.test_unix.UNIXFDPortTestsBuilder_EPollReactorTests.test_closePeerOnEMFILE":           adoptedLast,
		"twisted.internet.test.test_unix.UNIXFDPortTestsBuilder_AsyncioSelectorReactorTests.test_closePeerOnEMFILE": adoptedLast,
	},
	"tornado": {
		"tornado.test.process_test.ProcessTest.test_multi_process": forked,
	},
	"trio": {
		"trio/tests/test_subprocess.py::test_for_leaking_fds": "counts descriptors, and an epoll opens another one for the first wait, to " +
			"end that when it is closed",
	},
}

const forked = "makes sockets in the child of a fork, where no Go program can run"

const sessions = "has sessions as objects, which crypto/tls keeps to itself"

const alerts = "chooses the alert: crypto/tls sends internal_error for every error of GetConfigForClient"

const mocked = "replaces the poll object inside of CPython's class by a mock, and there is none here; " +
	"the same is tested in Go, as TestModifyRefusedByKernel"

const nonblocking = "asks the kernel whether the descriptor of a blocking socket is blocking: here it never is, and a goroutine waits " +
	"instead of the kernel"

// leftOut are tests that are not run, by suite, with the reason. Each is a beginning of names, in which * is any text.
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
	"test_ssl": {
		"test.test_ssl.ContextTests":     noSockets,
		"test.test_ssl.MemoryBIOTests":   noSockets,
		"test.test_ssl.SSLObjectTests":   noSockets,
		"test.test_ssl.TestEnumerations": noSockets,
		"test.test_ssl.TestSSLDebug":     "logs what OpenSSL does: its keys and its messages",
		"test.test_ssl.NetworkedTests":   "connects to hosts of the internet",
		"test.test_ssl.TestPostHandshakeAuth": "there is no authentication after the handshake in crypto/tls, and the rest reads OpenSSL's " +
			"chain of certificates",
		"test.test_ssl.ThreadedTests.test_wrong_cert_tls13": "takes no reset for an answer, and there is one if the server has closed the " +
			"connection before the client writes; newer versions of the test take it",
	},
	"twisted.internet": {
		"*_G*ReactorTests.":                          glib,
		"twisted.internet.test.test_tcp.TCPFDPort":   adopted,
		"twisted.internet.test.test_udp.UDPFDServer": adopted,
	},
	"twisted.internet, CPython's sockets": {"*_G*ReactorTests.": glib},
	"twisted, epoll": {
		"twisted.python.test.test_sendmsg.SendmsgTests.test_sendSubProcessFD": "starts a child that receives from an inherited socket, " +
			"maybe before anything is sent: it waits if the descriptor blocks, which here it does not",
	},
	"trio": {"trio/tests/test_exports.py::test_static_tool_sees_all_symbols": "looks at names with pylint and jedi"},
}

const noSockets = "has no sockets, and what it tests is CPython's here too"

const families = "the stand-in for _socket does not write addresses of this family"

const glib = "a reactor on the main loop of GLib, which does not wait in Python"

const adopted = "adopts a descriptor that does not block, and no timeout is set: CPython's socket raises BlockingIOError then, " +
	"here it waits, because all descriptors of the library are so"

const adoptedLast = "adopts a descriptor, as UDPFDServer does, and leaves none for the wait, so that accept fails with EMFILE"
