//go:build unix || windows

package ssl_test

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/ssl"
)

// versions are those of the protocol, by Python's names.
var versions = map[string]uint16{"TLSv1_2": tls.VersionTLS12, "TLSv1_3": tls.VersionTLS13}

func bothVersions(t *testing.T, test func(t *testing.T, version string)) {
	for version := range versions {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

// clientScript is what all clients in Python begin with.
const clientScript = `
import select, selectors, socket, ssl, sys
host, port, directory, version = sys.argv[1], int(sys.argv[2]), sys.argv[3], ssl.TLSVersion[sys.argv[4]]

def context(cert=None, alpn=None):
    context = ssl.create_default_context(cafile=directory + "/ca.pem")
    context.minimum_version = context.maximum_version = version
    if cert: context.load_cert_chain(directory + "/" + cert + ".pem")
    if alpn: context.set_alpn_protocols(alpn)
    return context

def connect(context, name="localhost", **options):
    return context.wrap_socket(socket.create_connection((host, port)), server_hostname=name, **options)

def receive(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece: break
        data += piece
    return data

def information(s):
    s.sendall(b"info")
    return s.recv(1000).decode()

def refusal(f, *args, **options):
    try: return f(*args, **options)
    except ssl.SSLError as e: return str(e).lower().replace("_", " ")
`

// Python is the client of the server in a loop. What the client prints is compared, and so is how the connection has ended here.
func TestPythonClient(t *testing.T) {
	refused, eof := as[*ssl.Error], is(ssl.ErrEOF)
	for _, test := range []struct {
		name, script, stdout string
		config               func(config *tls.Config)
		err                  func(error) bool // how the connection ends here, if not without an error
		info                 string
		maxRecv              int
	}{
		{
			name: "echo, and the client unwraps",
			script: `
s = connect(context())
for n in 1, 2, 16383, 16384, 16385, 1 << 20:
    data = bytes(i * 7 % 251 for i in range(n))
    s.sendall(data)
    print(receive(s, n) == data, end=" ")
print(receive(s.unwrap(), 5))
`,
			stdout: "True True True True True True b'plain'\n",
		},
		{
			name: "echo in small pieces here",
			script: `
s = connect(context())
data = bytes(i * 7 % 251 for i in range(1 << 18))
s.sendall(data)
print(receive(s, len(data)) == data)
print(receive(s.unwrap(), 5))
`,
			stdout:  "True\nb'plain'\n",
			maxRecv: 100,
		},
		{
			name: "the server unwraps",
			script: `
s = connect(context(), suppress_ragged_eofs=False)
s.sendall(b"unwrap")
print(s.recv(10))
print(receive(s.unwrap(), 5))
`,
			stdout: "b''\nb'plain'\n",
		},
		{
			name: "tiny records",
			script: `
s = connect(context())
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
data = bytes(i % 251 for i in range(5000))
for i in range(len(data)): s.send(data[i:i + 1])
print(receive(s, len(data)) == data)
s.unwrap()
`,
			stdout: "True\n",
		},
		{
			name: "non-blocking, in a loop on a selector",
			script: `
s = connect(context(), do_handshake_on_connect=False)
s.setblocking(False)
sel = selectors.DefaultSelector()
sel.register(s, selectors.EVENT_READ)
def call(f, *args):
    while True:
        try:
            return f(*args)
        except ssl.SSLWantReadError:
            sel.modify(s, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            sel.modify(s, selectors.EVENT_WRITE)
        sel.select()
call(s.do_handshake)
data = bytes(i * 7 % 251 for i in range(1 << 20))
sent, back = 0, b""
while len(back) < len(data):
    events = 0
    if sent < len(data):
        try:
            sent += s.send(data[sent:])
            continue
        except ssl.SSLWantReadError: events |= selectors.EVENT_READ
        except ssl.SSLWantWriteError: events |= selectors.EVENT_WRITE
    try:
        back += s.recv(1 << 16)
        continue
    except ssl.SSLWantReadError: events |= selectors.EVENT_READ
    except ssl.SSLWantWriteError: events |= selectors.EVENT_WRITE
    sel.modify(s, events)
    sel.select()
print(back == data)
s = call(s.unwrap)
select.select([s], [], [])
print(s.recv(5))
`,
			stdout: "True\nb'plain'\n",
		},
		{
			name: "the client breaks off",
			script: `
s = connect(context())
s.sendall(b"x")
s.recv(1)
s.detach()
`,
			err: eof,
		},
		{
			name: "the client closes without unwrap",
			script: `
s = connect(context())
s.sendall(b"x")
s.recv(1)
s.close()
`,
			err: eof,
		},
		{
			name: "the server breaks off, and Python suppresses ragged EOFs",
			script: `
s = connect(context())
s.sendall(b"cut")
print(s.recv(10))
`,
			stdout: "b''\n",
		},
		{
			name: "the server breaks off, and Python does not suppress ragged EOFs",
			script: `
s = connect(context(), suppress_ragged_eofs=False)
s.sendall(b"cut")
try: s.recv(10)
except ssl.SSLEOFError: print("SSLEOFError")
`,
			stdout: "SSLEOFError\n",
		},
		{
			name: "server name and ALPN",
			script: `
s = connect(context(alpn=["spam", "eggs"]), name="server.test")
print(s.version() in information(s), s.selected_alpn_protocol(), s.getpeercert()["subject"][0][0][1])
s.unwrap()
`,
			stdout: "True eggs server.test\n",
			config: func(config *tls.Config) { config.NextProtos = []string{"eggs", "ham"} },
			info:   "alpn eggs peer None server server.test reused false",
		},
		{
			name: "no protocol in common",
			script: `
print("no application protocol" in refusal(connect, context(alpn=["spam"])))
`,
			stdout: "True\n",
			config: func(config *tls.Config) { config.NextProtos = []string{"ham"} },
			err:    refused,
		},
		{
			name: "a session again",
			script: `
c = context()
s = connect(c)
information(s)
session = s.session
s.unwrap()
s = connect(c, session=session)
print("reused true" in information(s), s.session_reused)
s.unwrap()
`,
			stdout: "True True\n",
		},
		{
			name: "a client certificate",
			script: `
s = connect(context("client"))
print("peer client" in information(s))
s.unwrap()
`,
			stdout: "True\n",
			config: func(config *tls.Config) { config.ClientAuth = tls.RequireAndVerifyClientCert },
		},
		{
			name: "no client certificate where none has to be",
			script: `
s = connect(context())
print("peer None" in information(s))
s.unwrap()
`,
			stdout: "True\n",
			config: func(config *tls.Config) { config.ClientAuth = tls.VerifyClientCertIfGiven },
		},
		{
			name: "no client certificate where one has to be",
			script: `
alert = "certificate required" if version == ssl.TLSVersion.TLSv1_3 else "handshake failure"
print(alert in refusal(lambda: connect(context()).recv(1)))
`,
			stdout: "True\n",
			config: func(config *tls.Config) { config.ClientAuth = tls.RequireAndVerifyClientCert },
			err:    refused,
		},
		{
			name: "a wrong client certificate",
			script: `
print("unknown ca" in refusal(lambda: connect(context("unknown")).recv(1)))
`,
			stdout: "True\n",
			config: func(config *tls.Config) { config.ClientAuth = tls.RequireAndVerifyClientCert },
			err:    refused,
		},
		{
			name: "the client does not know the authority",
			script: `
print("certificate verify failed" in refusal(connect, ssl.create_default_context()))
`,
			stdout: "True\n",
			err:    refused,
		},
		{
			name: "the client asks for another server",
			script: `
print("certificate verify failed" in refusal(connect, context(), name="other.test"))
`,
			stdout: "True\n",
			err:    refused,
		},
		{
			name: "a version that the server does not have",
			script: `
c = context()
both = {ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3}
c.maximum_version = c.minimum_version = (both - {version}).pop()
print("protocol version" in refusal(connect, c))
`,
			stdout: "True\n",
			err:    refused,
		},
		{
			name: "no TLS at all",
			script: `
s = socket.create_connection((host, port))
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
select.select([s], [], [])
`,
			err: refused,
		},
		{
			name: "a client that goes without a word",
			script: `
socket.create_connection((host, port)).close()
`,
			err: eof,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothVersions(t, func(t *testing.T, version string) {
				testkit.NoLeaks(t)
				w := newWorld(t)
				config := w.serverConfig(versions[version])
				if test.config != nil {
					test.config(config)
				}
				l := startLoop(t, config, cmp.Or(test.maxRecv, 16<<10), echo)
				status, stdout, stderr := python(t, clientScript+test.script, l.addr, w.dir, version).End(t)
				if status != 0 || stdout != test.stdout {
					t.Errorf("status %d, stdout %q, stderr %s, want %q", status, stdout, stderr, test.stdout)
				}
				c := l.next(t)
				wantEnd(t, c.err, test.err)
				if got := info(c.Socket); test.info != "" && !strings.Contains(got, test.info) {
					t.Errorf("the server has %q, want %q", got, test.info)
				}
			})
		})
	}
}

// serverScript is what all servers in Python begin with.
const serverScript = `
import selectors, socket, ssl, sys
directory, version, options = sys.argv[1], ssl.TLSVersion[sys.argv[2]], sys.argv[3:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = context.maximum_version = version
context.load_cert_chain(directory + "/server.pem")
context.load_verify_locations(directory + "/ca.pem")
names = []
context.sni_callback = lambda s, name, c: names.append(name)
if "verify" in options: context.verify_mode = ssl.CERT_REQUIRED
if "alpn" in options: context.set_alpn_protocols(["spam", "eggs"])
listener = socket.create_server(("127.0.0.1", 0))
print("127.0.0.1:%d" % listener.getsockname()[1], flush=True)
`

// blockingScript goes on with a server that echoes, and does as it is told by what a client sends. It serves one client after
// the other.
const blockingScript = `
def serve(s):
    while data := s.recv(1 << 14):
        if data == b"info":
            cert = s.getpeercert()
            peer = cert and cert["subject"][0][0][1]
            alpn = s.selected_alpn_protocol()
            s.sendall(f"{s.version()} alpn {alpn} peer {peer} server {names[-1]} reused {s.session_reused}".encode())
        elif data == b"unwrap":
            break
        elif data == b"cut":
            s.close()
            return "cut"
        elif data == b"flood":
            s.sendall(b"x" * (1 << 20))
            return "flooded"
        else:
            s.sendall(data)
    raw = s.unwrap()
    raw.sendall(b"plain")
    return raw.recv(100)

while True:
    sock = listener.accept()[0]
    try: print(serve(context.wrap_socket(sock, server_side=True)), flush=True)
    except ssl.SSLError as e: print(type(e).__name__, str(e).lower().replace("_", " "), flush=True)
    except OSError as e: print(type(e).__name__, flush=True)
`

// loopScript is what is in place of that in a server that is one loop on a selector.
const loopScript = `
sel = selectors.DefaultSelector()

def serve(s, unsent):
    events = 0
    try:
        while True:
            data = s.recv(1 << 14)
            if not data:
                sel.unregister(s)
                return s.unwrap().close()
            unsent += data
    except ssl.SSLWantReadError: events |= selectors.EVENT_READ
    except ssl.SSLWantWriteError: events |= selectors.EVENT_WRITE
    try:
        while unsent: del unsent[:s.send(unsent)]
    except ssl.SSLWantReadError: events |= selectors.EVENT_READ
    except ssl.SSLWantWriteError: events |= selectors.EVENT_WRITE
    sel.modify(s, events, unsent)

listener.setblocking(False)
sel.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in sel.select():
        if key.fileobj is listener:
            s = context.wrap_socket(listener.accept()[0], server_side=True, do_handshake_on_connect=False)
            s.setblocking(False)
            sel.register(s, selectors.EVENT_READ, bytearray())
        else:
            serve(key.fileobj, key.data)
`

// startPython starts a server, and returns it and its address.
func startPython(
	t *testing.T, script string, w *world, version string, options ...string,
) (server *progtest.Program, addr string) {
	t.Helper()
	server = progtest.Run(t, "python3", append([]string{"-c", serverScript + script, w.dir, version}, options...)...)
	return server, server.Line(t)
}

// Python is the server of clients that are non-blocking, have a timeout, or block.
func TestPythonServer(t *testing.T) {
	w := newWorld(t)
	bothVersions(t, func(t *testing.T, version string) {
		server, addr := startPython(t, blockingScript, w, version, "alpn")
		eachMode(t, func(t *testing.T, timeout time.Duration) {
			testkit.NoLeaks(t)
			config := w.clientConfig(versions[version])
			config.NextProtos = []string{"ham", "eggs"}
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)

			c := dial(t, addr, config, timeout)
			testkit.Check(t, c.handshake(t))
			for _, size := range sizes {
				c.exchange(t, progtest.Random(size))
			}
			c.send(t, "info")
			name := strings.Replace(version, "_", ".", 1)
			description := name + " alpn eggs peer None server localhost reused "
			c.expect(t, description+"False")
			if got := info(c.Socket); !strings.HasPrefix(got, name+" TLS_") || !strings.Contains(got, " alpn eggs peer server.test ") {
				t.Errorf("the client has %q", got)
			}
			thank(t, c)
			wantLine(t, server, "b'thanks'")

			c = dial(t, addr, config, timeout)
			c.send(t, "info")
			c.expect(t, description+"True")
			if !c.SessionReused() {
				t.Error("the session is a new one")
			}
			c.send(t, "unwrap")
			if got, err := c.receive(t, 10); got != "" || err != nil {
				t.Errorf("after close_notify: %q, %v", got, err)
			}
			thank(t, c)
			wantLine(t, server, "b'thanks'")

			for _, suppress := range []bool{false, true} {
				c = dial(t, addr, config, timeout)
				c.SuppressRaggedEOFs = suppress
				c.send(t, "cut")
				got, err := c.receive(t, 10)
				wantEnd(t, err, map[bool]func(error) bool{false: is(ssl.ErrEOF)}[suppress])
				if got != "" {
					t.Errorf("received %q", got)
				}
				wantLine(t, server, "cut")
			}

			c = dial(t, addr, config, timeout) // and Close says close_notify
			c.exchange(t, []byte("x"))
			testkit.Check(t, c.Close())
			if line := server.Line(t); line != "b''" && line != "BrokenPipeError" && line != "ConnectionResetError" {
				t.Errorf("the server ends with %q", line)
			}

			c = dial(t, addr, config, timeout)
			c.send(t, "flood")
			_, err := c.unwrap(t)
			wantEnd(t, err, as[*ssl.Error])
			c.Close()
			server.Line(t)
		})
	})
}

func TestPythonServerInALoop(t *testing.T) {
	w := newWorld(t)
	bothVersions(t, func(t *testing.T, version string) {
		server, addr := startPython(t, loopScript, w, version)
		eachMode(t, func(t *testing.T, timeout time.Duration) {
			testkit.NoLeaks(t)
			dial(t, addr, w.clientConfig(versions[version]), timeout).talk(t)
		})
		server.Process.Kill()
		if _, _, stderr := server.End(t); stderr != "" {
			t.Errorf("the server complains: %s", stderr)
		}
	})
}

// thank unwraps a connection, receives what the server says without TLS, and answers.
func thank(t *testing.T, c *client) {
	t.Helper()
	sock, err := c.unwrap(t)
	testkit.Check(t, err)
	testkit.Check(t, sock.Settimeout(testkit.Patience))
	buf := make([]byte, 100)
	if n, err := sock.Recv(buf); string(buf[:n]) != "plain" || err != nil {
		t.Errorf("after unwrap: %q, %v", buf[:n], err)
	}
	testkit.Check(t, sock.Sendall([]byte("thanks")))
	testkit.Check(t, sock.Close())
}

func wantLine(t *testing.T, p *progtest.Program, want string) {
	t.Helper()
	if line := p.Line(t); !strings.Contains(line, want) {
		t.Errorf("the other side says %q, want %q", line, want)
	}
}

// How a server and its client take each other's certificates, or do not.
func TestPythonServerCertificates(t *testing.T) {
	w := newWorld(t)
	bothVersions(t, func(t *testing.T, version string) {
		server, addr := startPython(t, blockingScript, w, version, "verify")
		eachMode(t, func(t *testing.T, timeout time.Duration) {
			for _, test := range []struct {
				name, server string
				certificates []tls.Certificate
				roots        *x509.CertPool
				err          func(error) bool // of the client
				line         string           // of the server
			}{
				{"known", "localhost", []tls.Certificate{w.client}, w.authority.pool(), nil, "b'thanks'"},
				{"none", "localhost", nil, w.authority.pool(), as[*ssl.Error], "peer did not return a certificate"},
				{"wrong", "localhost", []tls.Certificate{w.unknown}, w.authority.pool(), as[*ssl.Error], "certificate verify failed"},
				{"another server", "other.test", nil, w.authority.pool(), as[x509.HostnameError], "bad certificate"},
				{"unknown authority", "localhost", nil, nil, as[x509.UnknownAuthorityError], "bad certificate"},
			} {
				t.Run(test.name, func(t *testing.T) {
					testkit.NoLeaks(t)
					config := w.clientConfig(versions[version])
					config.Certificates, config.RootCAs = test.certificates, test.roots
					c := dialName(t, addr, config, test.server, timeout)
					err := c.handshake(t)
					if test.err == nil {
						testkit.Check(t, err)
						thank(t, c)
					} else {
						if err == nil { // the server of TLS 1.3 has not seen the client's certificate yet
							_, err = c.receive(t, 1)
						}
						wantEnd(t, err, test.err)
						wantEnd(t, err, as[*ssl.Error])
					}
					wantLine(t, server, test.line)
				})
			}
		})
	})
}

// python starts a script with the host and the port of a server and what else it is told.
func python(t testing.TB, script, addr string, args ...string) *progtest.Program {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	testkit.Check(t, err)
	return progtest.Run(t, "python3", append([]string{"-c", script, host, port}, args...)...)
}

// wantEnd checks an error, which has to be nil if want is.
func wantEnd(t testing.TB, err error, want func(error) bool) {
	t.Helper()
	if want == nil && err != nil || want != nil && !want(err) {
		t.Errorf("the error is %v", err)
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// opensslOptions are what TLS of either side of openssl can be like. 1.3 has no renegotiation, and 1.2 no key updates.
var opensslOptions = []string{
	"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
	"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384",
	"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
	"-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
	"-tls1_2 -max_send_frag 512",
	"-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256",
	"-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384",
	"-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
	"-tls1_3 -max_send_frag 512",
	"-tls1_3 -record_padding 16384",
	"-tls1_3 -no_middlebox",
	"-tls1_3 -groups X448:P-384", // none of the keys that the client sends at first is for P-384, which is the only group in common
}

func opensslClient(t *testing.T, l *loop, w *world, options string) *progtest.Program {
	t.Helper()
	args := "s_client -quiet -no_ign_eof -servername localhost -verify_return_error -connect " + l.addr +
		" -CAfile " + w.path("ca") + " " + options
	return progtest.Run(t, "openssl", strings.Fields(args)...)
}

// say types a line in a program, and checks what comes back.
func say(t *testing.T, p *progtest.Program, line, want string) {
	t.Helper()
	_, err := io.WriteString(p.Stdin, line+"\n")
	testkit.Check(t, err)
	if got := p.Line(t); got != want {
		t.Fatalf("%.80q came back, want %.80q", got, want)
	}
}

var long = strings.Repeat("0123456789", 7000)

func TestOpensslClient(t *testing.T) {
	w := newWorld(t)
	for _, options := range opensslOptions {
		t.Run(options, func(t *testing.T) {
			testkit.NoLeaks(t)
			l := startLoop(t, w.serverConfig(0), 16<<10, echo)
			client := opensslClient(t, l, w, options)
			for _, line := range []string{"spam", "", "e", long} {
				say(t, client, line, line)
			}
			io.WriteString(client.Stdin, "Q\n")
			if status, stdout, stderr := client.End(t); status != 0 || stdout != "" {
				t.Errorf("status %d, stdout %.100q, stderr %s", status, stdout, stderr)
			}
			wantEnd(t, l.next(t).err, nil)
		})
	}
}

func TestOpensslClientConvertsLines(t *testing.T) {
	w := newWorld(t)
	l := startLoop(t, w.serverConfig(0), 16<<10, echo)
	client := opensslClient(t, l, w, "-crlf")
	say(t, client, "spam", "spam\r")
	client.Stdin.Close()
	client.End(t)
	wantEnd(t, l.next(t).err, nil)
}

// The client of TLS 1.3 may change its keys at any time, and make the server change its own.
func TestOpensslClientUpdatesKeys(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorld(t)
	l := startLoop(t, w.serverConfig(0), 16<<10, echo)
	client := opensslClient(t, l, w, "-tls1_3")
	say(t, client, "spam", "spam")
	for i := range 20 {
		for _, command := range []string{"k", "K"} {
			io.WriteString(client.Stdin, command+"\n")
			wantComplaint(t, client, "KEYUPDATE")
		}
		say(t, client, fmt.Sprint("eggs ", i), fmt.Sprint("eggs ", i))
	}
	say(t, client, long, long)
	client.Stdin.Close()
	client.End(t)
	wantEnd(t, l.next(t).err, nil)
}

// wantComplaint reads what a program says on stderr until some words come.
func wantComplaint(t *testing.T, p *progtest.Program, words string) {
	t.Helper()
	for line := ""; !strings.Contains(line, words); {
		var err error
		line, err = p.Stderr.ReadString('\n')
		if err != nil {
			t.Fatalf("no %q came: %v", words, err)
		}
	}
}

// A renegotiation is refused, and nobody waits for it.
func TestOpensslClientRenegotiates(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorld(t)
	l := startLoop(t, w.serverConfig(0), 16<<10, echo)
	client := opensslClient(t, l, w, "-tls1_2")
	say(t, client, "spam", "spam")
	io.WriteString(client.Stdin, "R\n")
	if status, _, stderr := client.End(t); status == 0 || !strings.Contains(stderr, "alert") {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
	wantEnd(t, l.next(t).err, as[*ssl.Error])
}

// opensslServer starts a server, and returns it and its address.
func opensslServer(t *testing.T, w *world, options string) (server *progtest.Program, addr string) {
	t.Helper()
	args := "s_server -accept 127.0.0.1:0 -cert " + w.path("server") + " " + options
	server = progtest.Run(t, "stdbuf", append([]string{"-oL", "openssl"}, strings.Fields(args)...)...)
	for addr == "" {
		_, addr, _ = strings.Cut(server.Line(t), "ACCEPT ")
	}
	return server, addr
}

func TestOpensslServer(t *testing.T) {
	w := newWorld(t)
	for _, options := range opensslOptions {
		t.Run(options, func(t *testing.T) {
			_, addr := opensslServer(t, w, options+" -rev") // which sends lines back in reverse
			eachMode(t, func(t *testing.T, timeout time.Duration) {
				testkit.NoLeaks(t)
				c := dial(t, addr, w.clientConfig(0), timeout)
				for _, line := range []string{"spam", "e", long[:10000]} {
					c.send(t, line+"\n")
					b := []byte(line)
					slices.Reverse(b)
					c.expect(t, string(b)+"\n")
				}
				_, err := c.unwrap(t)
				wantEnd(t, err, nil)
			})
		})
	}
}

// untilLine skips the output of a program until a line.
func untilLine(t *testing.T, p *progtest.Program, line string) {
	t.Helper()
	for p.Line(t) != line {
	}
}

// A file of the server is received in records of all sizes, and the end of TLS is the end of the file.
func TestOpensslServerSendsFile(t *testing.T) {
	w := newWorld(t)
	data := progtest.Random(3 << 20)
	t.Chdir(w.dir)
	testkit.Check(t, os.WriteFile("data", data, 0o600))
	for _, options := range []string{"-tls1_2", "-tls1_3", "-max_send_frag 600"} {
		_, addr := opensslServer(t, w, options+" -HTTP")
		eachMode(t, func(t *testing.T, timeout time.Duration) {
			c := dial(t, addr, w.clientConfig(0), timeout)
			c.send(t, "GET /data HTTP/1.0\r\n\r\n")
			var got []byte
			for {
				piece, err := c.receive(t, 7000)
				testkit.Check(t, err)
				if piece == "" {
					break
				}
				got = append(got, piece...)
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came, want %d", len(got), len(data))
			}
		})
	}
}

func TestOpensslServerUpdatesKeys(t *testing.T) {
	w := newWorld(t)
	server, addr := opensslServer(t, w, "-tls1_3")
	c := dial(t, addr, w.clientConfig(0), 0)
	c.send(t, "spam\n")
	untilLine(t, server, "spam")
	for i := range 20 {
		for _, command := range []string{"k", "K"} {
			io.WriteString(server.Stdin, command+"\n")
			untilLine(t, server, "SSL_do_handshake -> 1")
		}
		line := fmt.Sprint("eggs ", i)
		io.WriteString(server.Stdin, line+"\n")
		c.expect(t, line+"\n")
		c.send(t, line+"\n")
		untilLine(t, server, line)
	}
}

func TestOpensslServerRenegotiates(t *testing.T) {
	w := newWorld(t)
	server, addr := opensslServer(t, w, "-tls1_2")
	eachMode(t, func(t *testing.T, timeout time.Duration) {
		testkit.NoLeaks(t)
		c := dial(t, addr, w.clientConfig(0), timeout)
		c.send(t, "spam\n")
		untilLine(t, server, "spam")
		io.WriteString(server.Stdin, "R\n")
		_, err := c.receive(t, 10)
		wantEnd(t, err, as[*ssl.Error])
		c.Close()
	})
}

func TestCurl(t *testing.T) {
	w := newWorld(t)
	data := progtest.Random(3 << 20)
	for _, options := range []string{"--tls-max 1.2", "--tlsv1.3", "--upload-file " + w.path("server")} {
		l := startLoop(t, w.serverConfig(0), 16<<10, func(c *connection, request []byte) (response []byte, n int) {
			end := bytes.Index(request, []byte("\r\n\r\n"))
			if end < 0 {
				return nil, 0
			}
			c.ending = true
			return fmt.Appendf(nil, "HTTP/1.0 200 OK\r\n\r\n%s", data), end + 4
		})
		_, port, _ := net.SplitHostPort(l.addr)
		args := "--silent --show-error --cacert " + w.path("ca") + " " + options + " https://localhost:" + port + "/"
		curl := progtest.Run(t, "curl", strings.Fields(args)...)
		if status, stdout, stderr := curl.End(t); status != 0 || stdout != string(data) {
			t.Errorf("%s: status %d, %d bytes, stderr %s", options, status, len(stdout), stderr)
		}
		l.next(t)
	}
}

// The peers of package crypto/tls.
func TestCryptoTLS(t *testing.T) {
	w := newWorld(t)
	bothVersions(t, func(t *testing.T, version string) {
		t.Run("client", func(t *testing.T) {
			testkit.NoLeaks(t)
			l := startLoop(t, w.serverConfig(versions[version]), 16<<10, echo)
			config := w.clientConfig(versions[version])
			config.ServerName = "localhost"
			c, err := tls.Dial("tcp", l.addr, config)
			testkit.Check(t, err)
			defer c.Close()
			data := progtest.Random(3 << 20)
			sent := progtest.Send(c, data, c.CloseWrite) // which ends one direction
			got, err := io.ReadAll(c)
			testkit.Check(t, errors.Join(err, <-sent))
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back, want %d", len(got), len(data))
			}
			wantEnd(t, l.next(t).err, nil)
		})
		t.Run("server", func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", w.serverConfig(versions[version]))
			testkit.Check(t, err)
			defer l.Close()
			go func() {
				for c, err := l.Accept(); err == nil; c, err = l.Accept() {
					io.Copy(c, c)
					c.Close()
				}
			}()
			eachMode(t, func(t *testing.T, timeout time.Duration) {
				dial(t, l.Addr().String(), w.clientConfig(versions[version]), timeout).talk(t)
			})
		})
	})
}
