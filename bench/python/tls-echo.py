"""An echo server over TLS on CPython's ssl and selectors. Usage: tls-echo.py PORT LOOPS CERTIFICATE."""
import resource
import selectors
import socket
import ssl
import sys

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3])
context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # the same cipher as the others
sel = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)


def accept(listener, _):
    sock, _ = listener.accept()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    sel.register(conn, selectors.EVENT_READ, (echo, None))


def echo(conn, unsent):
    data = unsent
    try:
        if not data:
            data = conn.recv(16384)
        if data:
            conn.send(data)
            if unsent:
                sel.modify(conn, selectors.EVENT_READ, (echo, None))
            return
    except ssl.SSLWantReadError:
        sel.modify(conn, selectors.EVENT_READ, (echo, data))
        return
    except ssl.SSLWantWriteError:
        sel.modify(conn, selectors.EVENT_WRITE, (echo, data))
        return
    except OSError:
        pass
    sel.unregister(conn)
    conn.close()


sel.register(listener, selectors.EVENT_READ, (accept, None))
while True:
    for key, _ in sel.select():
        serve, unsent = key.data
        serve(key.fileobj, unsent)
