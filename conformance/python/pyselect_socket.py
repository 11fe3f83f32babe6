"""Stands in for Python's _socket module, whose class socket is here one of the Go library.

What Go's types check, and how addresses are written, is done here. All functions that make no sockets, like getaddrinfo, are CPython's.
"""

import errno
import operator
import os
import struct
import warnings
from ctypes import POINTER, Structure, addressof, byref, c_char, c_int, c_int64, c_size_t, memmove, string_at
from queue import SimpleQueue
from threading import Thread

import _socket as cpython
import binding
from binding import FOREVER, Handle, function, in_main_thread, nanoseconds, take
from _socket import *  # which leaves out names with an underscore

CAPI = cpython.CAPI
binding.numbered[binding.RESOLVER] = lambda number, text: gaierror(text)

NONE, INET, UNIX, RAW = range(4)  # kinds of an Address


class Address(Structure):
    _fields_ = [("kind", c_int), ("family", c_int), ("len", c_int), ("data", c_char * 512)]


class Buffer(Structure):
    _fields_ = [("base", c_size_t), ("len", c_int64)]

    def __init__(self, memory, size):
        super().__init__(addressof(memory) if size else 0, size)
        self.memory = memory  # lives as long as the buffer


class ControlMessage(Structure):
    _fields_ = [("level", c_int), ("type", c_int), ("data", Buffer)]


class ControlList(Structure):
    _fields_ = [("items", POINTER(ControlMessage)), ("len", c_int64)]


def _function(name, *argtypes, restype=None):
    """What is closed is EBADF in this module, and a bad address an error of the system."""
    f = function(name, *argtypes, restype=restype)

    def call(*args):
        try:
            return f(*args)
        except binding.ClosedError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
        except TimeoutError as e:
            if e.errno is None:
                e = TimeoutError("timed out")
            raise e from None
        except ValueError as e:
            raise OSError(str(e)) from None

    return call


def _waiting(name, *argtypes, restype=None):
    """A function that may wait. Python calls the handlers of signals in the main thread, but not during a call of Go, so that the main
    thread lets another one call Go. If a handler raises an exception, that call goes on until the socket is closed."""
    f = _function(name, *argtypes, restype=restype)

    def call(sock, *args):
        if not in_main_thread() or not sock.getblocking():
            return f(sock, *args)
        outcome = SimpleQueue()

        def work():
            try:
                outcome.put((f(sock, *args), None))
            except BaseException as e:
                outcome.put((None, e))

        Thread(target=work, daemon=True).start()
        result, exception = outcome.get()
        if exception:
            raise exception
        return result

    return call


def _plain(name, *argtypes, restype=c_int):
    """A function that cannot fail."""
    f = getattr(binding.lib, name)
    f.argtypes = argtypes
    f.restype = restype
    return f


_new = _function("SocketNew", c_int, c_int, c_int, restype=c_size_t)
_adopt = _function("SocketAdopt", c_int, restype=c_size_t)
_pair = _function("SocketPair", c_int, c_int, c_int, POINTER(c_size_t))
_identity = _plain("SocketIdentity", c_size_t, POINTER(c_int), restype=None)
_close = _function("SocketClose", c_size_t)
_detach = _function("SocketDetach", c_size_t, restype=c_int)
_fileno = _plain("SocketFileno", c_size_t)
_settimeout = _function("SocketSettimeout", c_size_t, c_int64)
_gettimeout = _plain("SocketGettimeout", c_size_t, restype=c_int64)
_bind = _function("SocketBind", c_size_t, POINTER(Address))
_listen = _function("SocketListen", c_size_t, c_int)
_accept = _waiting("SocketAccept", c_size_t, POINTER(Address), restype=c_int)
_connect = _waiting("SocketConnect", c_size_t, POINTER(Address))
_connect_ex = _plain("SocketConnectEx", c_size_t, POINTER(Address))
_recv = _waiting("SocketRecv", c_size_t, Buffer, c_int, restype=c_int64)
_recvfrom = _waiting("SocketRecvfrom", c_size_t, Buffer, c_int, POINTER(Address), restype=c_int64)
_recvmsg = _waiting(
    "SocketRecvmsg", c_size_t, POINTER(Buffer), c_int64, c_int64, c_int, POINTER(ControlList), POINTER(c_int), POINTER(Address),
    restype=c_int64,
)
_send = _waiting("SocketSend", c_size_t, Buffer, c_int, restype=c_int64)
_sendall = _waiting("SocketSendall", c_size_t, Buffer, c_int)
_sendto = _waiting("SocketSendto", c_size_t, Buffer, c_int, POINTER(Address), restype=c_int64)
_sendmsg = _waiting(
    "SocketSendmsg", c_size_t, POINTER(Buffer), c_int64, POINTER(ControlMessage), c_int64, c_int, POINTER(Address), restype=c_int64
)
_sendfile = _waiting("SocketSendfile", c_size_t, c_int, c_int64, c_int64, restype=c_int64)
_shutdown = _function("SocketShutdown", c_size_t, c_int)
_getsockname = _function("SocketGetsockname", c_size_t, POINTER(Address))
_getpeername = _function("SocketGetpeername", c_size_t, POINTER(Address))
_getsockopt = _function("SocketGetsockopt", c_size_t, c_int, c_int, restype=c_int)
_getsockopt_bytes = _function("SocketGetsockoptBytes", c_size_t, c_int, c_int, Buffer, restype=c_int64)
_setsockopt = _function("SocketSetsockopt", c_size_t, c_int, c_int, c_int)
_setsockopt_bytes = _function("SocketSetsockoptBytes", c_size_t, c_int, c_int, Buffer)


def _int(number, name="argument"):
    number = operator.index(number)
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError(f"{name} too large")
    return number


def _readable(data):
    """Return a Buffer of a copy of data."""
    if isinstance(data, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    try:
        view = memoryview(data)
    except TypeError as e:
        raise TypeError(str(e).removeprefix("memoryview: ")) from None
    copy = (c_char * max(view.nbytes, 1)).from_buffer_copy(view.tobytes() or b"\0")
    return Buffer(copy, view.nbytes)


def _writable(data, size=0):
    view = memoryview(data).cast("B")
    if view.readonly:
        raise TypeError("read-write bytes-like object expected")
    size = operator.index(size)
    if size < 0:
        raise ValueError("negative buffersize in recv_into")
    if size > len(view):
        raise ValueError("buffer too small for requested bytes")
    if len(view) == 0:
        return Buffer(None, 0)
    return Buffer((c_char * len(view)).from_buffer(view), size or len(view))


def _array(type, items):
    array = (type * len(items))(*items)
    array.items = items  # live as long as the array
    return array


def _room(size):
    size = operator.index(size)
    if size < 0:
        raise ValueError("negative buffersize in recv")
    return bytearray(size)


# Addresses

def _host(host):
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii")
    if not isinstance(host, str):
        raise TypeError("str, bytes or bytearray expected, not " + type(host).__name__)
    return host.encode("idna").decode() if not host.isascii() else host


def _port(port):
    port = operator.index(port)
    if not 0 <= port <= 0xFFFF:
        raise OverflowError("port must be 0-65535.")
    return port


def _interface(name):
    return if_nametoindex(name) if name else 0


def _mac(data):
    return bytes(data).ljust(8, b"\0")


def _pack_inet(addr):
    if not isinstance(addr, tuple):
        raise TypeError(f"AF_INET address must be tuple, not {type(addr).__name__}")
    if len(addr) != 2:
        raise TypeError("AF_INET address must be a pair (host, port)")
    return INET, f"{_host(addr[0])}:{_port(addr[1])}".encode()


def _pack_inet6(addr):
    if not isinstance(addr, tuple):
        raise TypeError(f"AF_INET6 address must be tuple, not {type(addr).__name__}")
    if not 2 <= len(addr) <= 4:
        raise TypeError("AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])")
    host, port, flowinfo, scope = *addr, *(0, 0)[len(addr) - 2:]
    if not 0 <= flowinfo <= 0xFFFFF:
        raise OverflowError("flowinfo must be 0-1048575.")
    host = _host(host)
    if scope:
        host = f"{host.partition('%')[0]}%{scope}"
    return INET, f"[{host}]:{_port(port)}".encode()


def _pack_unix(addr):
    if isinstance(addr, str):
        addr = os.fsencode(addr)
    elif not isinstance(addr, (bytes, bytearray)):
        raise TypeError("a bytes-like object is required")
    return UNIX, bytes(addr)


PACKERS = {
    AF_INET: _pack_inet,
    AF_INET6: _pack_inet6,
    AF_UNIX: _pack_unix,
    AF_NETLINK: lambda a: (RAW, struct.pack("=xxII", *a)),
    AF_PACKET: lambda a: (RAW, struct.pack("=HiHBB", htons(a[1]), _interface(a[0]), (*a, 0, 0)[3], (*a, 0)[2], len((*a, 0, 0, b"")[4]))
                          + _mac((*a, 0, 0, b"")[4])),
    AF_VSOCK: lambda a: (RAW, struct.pack("=xxII4x", a[1], a[0])),
}


def _pack(family, addr):
    if family not in PACKERS:
        raise OSError(f"this stand-in has no addresses of family {family}")
    kind, data = PACKERS[family](addr)
    if len(data) > Address.data.size:
        raise OSError("address too long")
    result = Address(kind=kind, family=family, len=len(data))
    memmove(addressof(result) + Address.data.offset, data, len(data))
    return result


def _unpack(a):
    data = string_at(addressof(a) + Address.data.offset, a.len)
    if a.kind == NONE:
        return None
    if a.kind == UNIX:
        return data if data[:1] == b"\0" else os.fsdecode(data)
    if a.kind == INET:
        host, _, port = data.decode().rpartition(":")
        if a.family == AF_INET:
            return host, int(port)
        host, _, scope = host.strip("[]").partition("%")
        return host, int(port), 0, int(scope or 0)
    if a.family == AF_NETLINK:
        return struct.unpack("=xxII", data)
    if a.family == AF_VSOCK:
        port, cid = struct.unpack("=xxII", data[:10])
        return cid, port
    if a.family == AF_PACKET:
        proto, index, hatype, pkttype, halen = struct.unpack("=HiHBB", data[:10])
        return if_indextoname(index) if index else "", ntohs(proto), pkttype, hatype, data[10:10 + halen]
    return a.family, data


class socket(Handle):
    __slots__ = ("_family", "_type", "_proto")

    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        family, type, proto = _int(family), _int(type), _int(proto)
        if fileno is None:
            handle = _new(AF_INET if family == -1 else family, SOCK_STREAM if type == -1 else type, max(proto, 0))
        else:
            if isinstance(fileno, float):
                raise TypeError("integer argument expected, got float")
            fileno = operator.index(fileno)
            if fileno < 0:
                raise ValueError("negative file descriptor")
            handle = _adopt(fileno)
        super().__init__(handle)
        identity = (c_int * 3)()
        _identity(self, identity)
        self._family = identity[0] if family == -1 else family
        self._type = identity[1] if type == -1 else type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)
        self._proto = identity[2] if proto == -1 else proto
        default = getdefaulttimeout()
        if default is not None and not (fileno is None and type & SOCK_NONBLOCK):
            self.settimeout(default)

    def __del__(self):
        if hasattr(self, "_as_parameter_") and not binding._in_child and self.fileno() != -1:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self.close()

    def __repr__(self):
        return f"<socket object, fd={self.fileno()}, family={self._family}, type={self._type}, proto={self._proto}>"

    family = property(lambda self: self._family)
    type = property(lambda self: self._type)
    proto = property(lambda self: self._proto)
    timeout = property(lambda self: self.gettimeout())

    def fileno(self):
        return _fileno(self) if hasattr(self, "_as_parameter_") else -1

    def close(self):
        if hasattr(self, "_as_parameter_"):
            _close(self)

    def detach(self):
        fd = self.fileno()
        return fd if fd == -1 else _detach(self)

    def settimeout(self, timeout, /):
        ns = nanoseconds(timeout, 1e9)
        if ns < 0:
            raise ValueError("Timeout value out of range")
        _settimeout(self, ns)

    def gettimeout(self):
        ns = _gettimeout(self)
        return None if ns == FOREVER else ns / 1e9

    def setblocking(self, flag, /):
        self.settimeout(None if flag else 0)

    def getblocking(self):
        return _gettimeout(self) != 0

    def bind(self, address, /):
        _bind(self, _pack(self._family, address))

    def listen(self, backlog=min(128, SOMAXCONN), /):
        _listen(self, _int(backlog))

    def _accept(self):
        addr = Address()
        fd = _accept(self, addr)
        return fd, _unpack(addr)

    def connect(self, address, /):
        _connect(self, _pack(self._family, address))

    def connect_ex(self, address, /):
        return _connect_ex(self, _pack(self._family, address))

    def recv(self, bufsize, flags=0, /):
        data = _room(bufsize)
        return bytes(data[:self.recv_into(data, 0, flags)])

    def recv_into(self, buffer, nbytes=0, flags=0):
        return _recv(self, _writable(buffer, nbytes), _int(flags))

    def recvfrom(self, bufsize, flags=0, /):
        data = _room(bufsize)
        n, addr = self.recvfrom_into(data, 0, flags)
        return bytes(data[:n]), addr

    def recvfrom_into(self, buffer, nbytes=0, flags=0):
        buffer = _writable(buffer, nbytes)
        addr = Address()
        n = _recvfrom(self, buffer, _int(flags), addr)
        return n, _unpack(addr)

    def recvmsg(self, bufsize, ancbufsize=0, flags=0, /):
        if operator.index(bufsize) < 0:
            raise ValueError("negative buffer size in recvmsg()")
        data = bytearray(bufsize)
        n, *rest = self.recvmsg_into([data], ancbufsize, flags)
        return bytes(data[:n]), *rest

    def recvmsg_into(self, buffers, ancbufsize=0, flags=0, /):
        buffers = [_writable(b) for b in buffers]
        size = operator.index(ancbufsize)
        if not 0 <= size < 1 << 31:
            raise ValueError("invalid ancillary data buffer length")
        array = _array(Buffer, buffers)
        ancdata, msg_flags, addr = ControlList(), c_int(), Address()
        n = _recvmsg(self, array, len(buffers), size, _int(flags), ancdata, msg_flags, addr)

        def item(m):
            try:
                return m.level, m.type, string_at(m.data.base, m.data.len)
            finally:
                binding.lib.Free(m.data.base)

        return n, take(ancdata, item), msg_flags.value, _unpack(addr)

    def send(self, data, flags=0, /):
        return _send(self, _readable(data), _int(flags))

    def sendall(self, data, flags=0, /):
        _sendall(self, _readable(data), _int(flags))

    def sendto(self, data, *args):
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(args)} given)")
        buffer = _readable(data)
        flags = _int(args[0]) if len(args) == 2 else 0
        return _sendto(self, buffer, flags, _pack(self._family, args[-1]))

    def sendmsg(self, buffers, ancdata=(), flags=0, address=None, /):
        buffers = [_readable(b) for b in buffers]
        array = _array(Buffer, buffers)
        items = []
        for item in ancdata:
            if not isinstance(item, tuple) or len(item) != 3:
                raise TypeError("[sendmsg() ancillary data items]")
            items.append((_int(item[0]), _int(item[1]), _readable(item[2])))
        messages = _array(ControlMessage, items)
        addr = Address() if address is None else _pack(self._family, address)
        return _sendmsg(self, array, len(buffers), messages, len(items), _int(flags), addr)

    def shutdown(self, how, /):
        _shutdown(self, _int(how))

    def getsockname(self):
        addr = Address()
        _getsockname(self, addr)
        return _unpack(addr)

    def getpeername(self):
        addr = Address()
        _getpeername(self, addr)
        return _unpack(addr)

    def getsockopt(self, level, option, size=0, /):
        level, option = _int(level), _int(option)
        if size == 0:
            return _getsockopt(self, level, option)
        if not 0 < size <= 1024:
            raise OSError("getsockopt buflen out of range")
        data = bytearray(size)
        n = _getsockopt_bytes(self, level, option, _writable(data))
        return bytes(data[:n])

    def setsockopt(self, level, option, value, size=None, /):
        level, option = _int(level), _int(option)
        if hasattr(value, "__index__"):
            _setsockopt(self, level, option, _int(value))
        else:
            _setsockopt_bytes(self, level, option, _readable(value))


SocketType = socket


def socketpair(family=AF_UNIX, type=SOCK_STREAM, proto=0, /):
    handles = (c_size_t * 2)()
    _pair(family, type, proto, handles)
    pair = []
    for handle in handles:
        s = socket.__new__(socket)
        Handle.__init__(s, handle)
        s._family, s._type, s._proto = family, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), proto
        pair.append(s)
    return tuple(pair)


class NoFile(Exception):
    """The file has no descriptor."""


def send_file(sock, send, file, offset, count):
    """What sendfile of an object of CPython's socket.py does, by calls of send(fileno, offset, count)."""
    sock._check_sendfile_params(file, offset, count)
    try:
        fileno = file.fileno()
        os.fstat(fileno)
    except (AttributeError, OSError) as e:
        raise NoFile(e)
    if sock.gettimeout() == 0:
        raise ValueError("non-blocking sockets are not supported")
    sent = 0
    try:
        while count is None or sent < count:
            n = send(fileno, offset + sent, -1 if count is None else count - sent)
            if n == 0:
                break
            sent += n
        return sent
    finally:
        if sent > 0 and hasattr(file, "seek"):
            file.seek(offset + sent)


def adapt(module):
    """Let CPython's socket.py use sendfile of Go."""

    def sendfile(self, file, offset=0, count=None):
        try:
            return send_file(self, lambda *args: _sendfile(self, *args), file, offset, count)
        except NoFile as e:
            raise module._GiveupOnSendfile(e)

    module.socket._sendfile_use_sendfile = sendfile
