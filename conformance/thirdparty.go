package main

import (
	"fmt"
	"slices"
	"strings"
)

// The tests of reactorTests run on all four reactors by themselves, those of twistedTests on the one that is installed first.
// Those of processes take the most time, and run on one.
var twistedSuites = []suite{
	{"twisted.internet", "socket", reactorTests,
		slices.Concat(selectReactor, pollReactor, epollReactor, asyncioReactor, twistedSockets)},
	{"twisted.internet, CPython's sockets", "selectors", reactorTests,
		slices.Concat(selectReactor, pollReactor, epollReactor, asyncioReactor)},
	{"twisted, select", "socket", "+twisted.internet.selectreactor" + twistedTests, slices.Concat(selectReactor, twistedSockets)},
	{"twisted, poll", "socket", "+twisted.internet.pollreactor" + twistedTests, slices.Concat(pollReactor, twistedSockets)},
	{"twisted, epoll", "socket",
		"+twisted.internet.epollreactor twisted.test.test_process twisted.python.test.test_sendmsg" + twistedTests,
		slices.Concat(epollReactor, twistedSockets, []string{"Socket.Sendmsg", "Socket.Recvmsg"})},
	{"twisted, asyncio", "socket", "+twisted.internet.asyncioreactor" + twistedTests, slices.Concat(asyncioReactor, twistedSockets)},
}

var tornadoSuites = []suite{
	{"tornado", "ssl", tornadoTests, slices.Concat(asyncioReactor, loopSockets, []string{"ssl.Client", "ssl.Server",
		"ssl.Socket.DoHandshake", "ssl.Socket.Recv", "ssl.Socket.Send", "ssl.Socket.Close"})},
}

var trioSuites = []suite{
	{"trio", "ssl", "@trio", slices.Concat(epollReactor, loopSockets, []string{"Socket.Recvfrom", "Socket.Recvmsg", "Socket.Sendmsg",
		"Socket.Sendto", "ssl.Client", "ssl.Server", "ssl.Socket.Recv", "ssl.Socket.Sendall", "ssl.Socket.Unwrap"})},
}

var (
	reactorTests = modules("twisted.internet.test.test_%s", "asyncioreactor base core endpoints epollreactor fdset inotify newtls "+
		"posixbase process sigchld socket stdio tcp threads time tls udp udp_internals unix")
	twistedTests = modules("twisted.names.test.test_%s", "names") +
		modules("twisted.spread.test.test_%s", "pb") +
		modules("twisted.test.test_%s", "ftp internet loopback protocols ssl stdio tcp tcp_internals threads udp unix") +
		modules("twisted.web.test.test_%s", "cgi distrib wsgi xmlrpc")
	tornadoTests = modules("tornado.test.%s_test", "asyncio concurrent gen http1connection httpclient httpserver ioloop iostream "+
		"locks netutil process queues simple_httpclient tcpclient tcpserver testing twisted web websocket wsgi")
)

// modules returns the names of Python modules in the form of suite.tests.
func modules(format, names string) (tests string) {
	for name := range strings.FieldsSeq(names) {
		tests += " " + fmt.Sprintf(format, name)
	}
	return tests
}

// What each reactor calls, and what all of them call of sockets.
var (
	selectReactor  = []string{"Select"}
	pollReactor    = []string{"NewPoll", "Poll.Register", "Poll.Unregister", "Poll.Poll"}
	epollReactor   = []string{"NewEpoll", "Epoll.Register", "Epoll.Modify", "Epoll.Unregister", "Epoll.Poll"}
	asyncioReactor = []string{"NewDefaultSelector", "DefaultSelector.Register", "DefaultSelector.Modify",
		"DefaultSelector.Unregister", "DefaultSelector.Select"}
	loopSockets = []string{"socket.New", "socket.Adopt", "Socket.Accept", "Socket.Bind", "Socket.Close", "Socket.Fileno",
		"Socket.Getpeername", "Socket.Getsockname", "Socket.Getsockopt", "Socket.Listen", "Socket.Recv", "Socket.Send",
		"Socket.Setsockopt", "Socket.Settimeout"}
	twistedSockets = append([]string{"Socket.ConnectEx", "Socket.Recvfrom", "Socket.Sendto"}, loopSockets...)
)
