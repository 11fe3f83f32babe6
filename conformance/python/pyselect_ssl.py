"""Stands in for Python's _ssl module, whose sockets have here the TLS of the Go library.

A context is one of OpenSSL, which checks and keeps the settings. Those that crypto/tls has too are handed over when a socket is wrapped.
What needs no socket, like MemoryBIO, is CPython's.
"""

import base64
import errno
import json
import os
import tempfile
import weakref
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_size_t

import _ssl as cpython
import binding
from _ssl import *  # which leaves out names with an underscore
from _ssl import _DEFAULT_CIPHERS, _OPENSSL_API_VERSION, _SSLSocket, _test_decode_cert
from binding import ClosedError, Handle, from_json, function, to_object
from pyselect_socket import Buffer, NoFile, _plain, _readable, _writable, send_file

# Exceptions

# Alerts that SSL 3 had already, as they are in the names of OpenSSL's reasons.
OLD_ALERTS = {10, 20, 30, 40, 41, 42, 43, 44, 45, 46, 47}
ALERTS = {
    value: ("SSLV3_ALERT_" if value in OLD_ALERTS else "TLSV1_ALERT_") + name.removeprefix("ALERT_DESCRIPTION_")
    for name, value in vars(cpython).items() if name.startswith("ALERT_DESCRIPTION_")
}

# OpenSSL's reasons for what package crypto/tls says.
REASONS = {
    "no cipher suite supported by both client and server": "NO_SHARED_CIPHER",
    "first record does not look like a TLS handshake": "WRONG_VERSION_NUMBER",
}


def _error(cls, reason, text):
    e = cls(SSL_ERROR_SSL, f"[SSL: {reason}] {text}")
    e.library, e.reason = "SSL", reason
    return e


def _refused(code, message):
    e = _error(SSLCertVerificationError, "CERTIFICATE_VERIFY_FAILED", f"certificate verify failed: {message}")
    e.verify_code, e.verify_message = code, message
    return e


def _alert(number, text):
    reason = ALERTS.get(number, "UNKNOWN_ALERT_TYPE")
    return _error(SSLError, reason, f"{reason.lower().replace('_', ' ')} ({text})")


def _tls(number, text):
    reason = next((reason for words, reason in REASONS.items() if words in text), "TLS")
    return _error(SSLError, reason, f"{reason.lower().replace('_', ' ')} ({text})")


binding.numbered.update({
    binding.WANT_READ: lambda *_: SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)"),
    binding.WANT_WRITE: lambda *_: SSLWantWriteError(SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"),
    binding.EOF: lambda *_: SSLEOFError(SSL_ERROR_EOF, "EOF occurred in violation of protocol"),
    binding.CERTIFICATE: _refused,
    binding.ALERT: _alert,
    binding.TLS: _tls,
})


def _waiting(name, what, *argtypes, restype=None):
    """A function that may wait, in the main thread too: no handler of a signal is called then."""
    f = function(name, c_size_t, *argtypes, restype=restype)

    def call(*args):
        try:
            return f(*args)
        except ClosedError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
        except TimeoutError as e:
            raise e if e.errno else TimeoutError(f"The {what} operation timed out") from None

    return call


_context = function("SSLContext", c_char_p, restype=c_size_t)
_client = _plain("SSLClient", c_size_t, c_size_t, c_char_p, c_int, restype=c_size_t)
_server = _plain("SSLServer", c_size_t, c_size_t, c_size_t, c_int, restype=c_size_t)
_do_handshake = _waiting("SSLDoHandshake", "handshake")
_recv = _waiting("SSLRecv", "read", Buffer, restype=c_int64)
_send = _waiting("SSLSend", "write", Buffer, restype=c_int64)
_sendall = _waiting("SSLSendall", "write", Buffer)
_sendfile = _waiting("SSLSendfile", "write", c_int, c_int64, c_int64, restype=c_int64)
_unwrap = _waiting("SSLUnwrap", "shutdown")
_close = function("SSLClose", c_size_t)
_pending = _plain("SSLPending", c_size_t, restype=c_int64)
_state = _plain("SSLState", c_size_t, restype=c_size_t)

# Contexts

VERSIONS = {0x301: OP_NO_TLSv1, 0x302: OP_NO_TLSv1_1, 0x303: OP_NO_TLSv1_2, 0x304: OP_NO_TLSv1_3}
PROTOCOLS = {PROTOCOL_TLSv1: 0x301, PROTOCOL_TLSv1_1: 0x302, PROTOCOL_TLSv1_2: 0x303}  # of one version
CURVES = {"prime256v1": 23, "secp384r1": 24, "secp521r1": 25}


def _read(file):
    with open(file, encoding="latin-1") as f:
        return f.read()


def _pem(der):
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


class _SSLContext(cpython._SSLContext):
    def __new__(cls, protocol):
        self = super().__new__(cls, protocol)
        self._settings = {"Certificates": [], "Authorities": []}
        self._made = None, None  # settings, and what exists of them in Go
        return self

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        super().load_cert_chain(certfile, keyfile, password)
        self._settings["Certificates"].insert(0, (_read(certfile), _read(certfile if keyfile is None else keyfile)))

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        super().load_verify_locations(cafile, capath, cadata)
        authorities = self._settings["Authorities"]
        if cafile is not None:
            authorities.append(_read(cafile))
        if capath is not None:
            authorities += [_read(entry) for entry in os.scandir(capath)]
        if cadata is not None:
            authorities.append(cadata if isinstance(cadata, str) else _pem(cadata))

    def set_default_verify_paths(self):
        super().set_default_verify_paths()
        self._settings["Defaults"] = True

    def set_ciphers(self, ciphers, /):
        super().set_ciphers(ciphers)
        self._settings["Ciphers"] = [cipher["id"] & 0xFFFF for cipher in self.get_ciphers()]

    def set_ecdh_curve(self, name, /):
        super().set_ecdh_curve(name)
        self._settings["Curves"] = [CURVES[os.fsdecode(name)]]

    def _set_alpn_protocols(self, protos, /):
        super()._set_alpn_protocols(protos)
        names, protos = [], bytes(protos)
        while protos:
            n = protos[0]
            names.append(protos[1:1 + n].decode("ascii"))
            protos = protos[1 + n:]
        self._settings["Protocols"] = names

    def _versions(self):
        versions = [v for v, no in VERSIONS.items() if self.minimum_version <= v and not self.options & no]
        if self.maximum_version != PROTO_MAXIMUM_SUPPORTED:
            versions = [v for v in versions if v <= self.maximum_version]
        if self.protocol in PROTOCOLS:
            versions = [v for v in versions if v == PROTOCOLS[self.protocol]]
        if not versions:
            raise _error(SSLError, "NO_PROTOCOLS_AVAILABLE", "no protocols available")
        return versions[0], versions[-1]

    def in_go(self):
        settings = json.dumps({
            **self._settings, "Verify": self.verify_mode, "CheckHostname": self.check_hostname, "Versions": self._versions(),
        })
        if self._made[0] != settings:
            self._made = settings, Handle(_context(settings.encode()))
        return self._made[1]

    def _wrap_socket(self, sock, server_side, server_hostname=None, *, owner=None, session=None):
        self._wrap_bio(MemoryBIO(), MemoryBIO(), server_side, server_hostname)  # which checks the arguments
        if session is not None:
            raise NotImplementedError("this stand-in has no sessions")
        return TLSSocket(self, sock, server_side, server_hostname, owner)


class Reply(Structure):
    _fields_ = [("alert", c_int), ("context", c_size_t)]


@CFUNCTYPE(None, c_size_t, c_char_p, POINTER(Reply))
def _sni(addr, name, reply):
    sslobj = to_object(addr)
    before = sslobj.context
    alert = before.sni_callback(sslobj.owner or sslobj, name.decode() or None, before)
    if alert is not None:
        reply[0].alert = alert
        return
    if sslobj.context is not before:
        reply[0].context = sslobj.context.in_go()._as_parameter_
    reply[0].alert = 0


binding.lib.SetSNI(_sni)


class TLSSocket(Handle):
    """What an SSLSocket has as _sslobj."""

    __slots__ = ("context", "server_side", "server_hostname", "_sock", "_owner")

    session = None

    def __init__(self, context, sock, server_side, server_hostname, owner):
        self.context, self.server_side, self.server_hostname = context, server_side, server_hostname
        self._sock, self._owner = weakref.ref(sock), owner and weakref.ref(owner)
        ragged_eofs = owner is not None and owner.suppress_ragged_eofs
        if server_side:
            super().__init__(_server(sock, context.in_go(), id(self) if context.sni_callback else 0, ragged_eofs))
        else:
            super().__init__(_client(sock, context.in_go(), (server_hostname or "").encode(), ragged_eofs))

    @property
    def owner(self):
        return self._owner and self._owner()

    def do_handshake(self):
        _do_handshake(self)

    def read(self, len=1024, buffer=None, /):
        if buffer is not None:
            size = memoryview(buffer).nbytes
            return _recv(self, _writable(buffer, len if 0 < len < size else size))
        if len < 0:
            raise ValueError("size should not be negative")
        data = bytearray(len)
        n = self.read(len, data)
        return bytes(data[:n])

    def write(self, data, /):
        return _send(self, _readable(data))

    def sendall(self, data):
        _sendall(self, _readable(data))

    def sendfile(self, fileno, offset, count):
        return _sendfile(self, fileno, offset, count)

    def pending(self):
        return _pending(self)

    def shutdown(self):
        _unwrap(self)
        return self._sock()

    def close(self):
        _close(self)

    def _state(self):
        return from_json(_state(self))

    def version(self):
        return self._state()["version"] or None

    def cipher(self):
        state = self._state()
        name = state["cipher"]
        return (name, state["version"], 128 if "128" in name else 256) if name else None

    def shared_ciphers(self):
        return None

    def compression(self):
        return None

    def selected_alpn_protocol(self):
        return self._state()["alpn"] or None

    @property
    def session_reused(self):
        state = self._state()
        return state["reused"] if state["version"] else None

    def getpeercert(self, binary_form=False, /):
        state = self._state()
        if not state["version"]:
            raise ValueError("handshake not done yet")
        if "certificate" not in state:
            return None
        der = base64.b64decode(state["certificate"])
        if binary_form:
            return der
        if self.context.verify_mode == CERT_NONE:
            return {}
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(_pem(der))
            file.flush()
            return _test_decode_cert(file.name)

    def get_channel_binding(self, cb_type="tls-unique"):
        if cb_type != "tls-unique":
            raise ValueError(f"'{cb_type}' channel binding type not implemented")
        unique = self._state()["unique"]
        return unique and base64.b64decode(unique)


def adapt(module):
    """Let the SSLSocket of CPython's ssl.py use what Go has itself of sendall, sendfile and close."""
    cls = module.SSLSocket
    cpython_sendall, cpython_sendfile, cpython_close = cls.sendall, cls.sendfile, cls._real_close

    def sendall(self, data, flags=0):
        if self._sslobj is None or flags != 0:
            return cpython_sendall(self, data, flags)
        self._sslobj.sendall(data)

    def sendfile(self, file, offset=0, count=None):
        if self._sslobj is None:
            return cpython_sendfile(self, file, offset, count)
        try:
            return send_file(self, self._sslobj.sendfile, file, offset, count)
        except NoFile:
            return cpython_sendfile(self, file, offset, count)

    def _real_close(self):
        if self._sslobj is not None:
            self._sslobj.close()
        cpython_close(self)

    cls.sendall, cls.sendfile, cls._real_close = sendall, sendfile, _real_close
