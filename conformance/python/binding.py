"""The Go library, loaded with ctypes, and what the modules that stand in for select, selectors and _socket share."""

import ctypes
import json
import math
import os
import resource
import threading
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from time import monotonic_ns


class Failure(Structure):
    _fields_ = [("kind", c_int), ("errno", c_int), ("text", c_char * 248)]


class Object(Structure):
    _fields_ = [("kind", c_int), ("fd", c_int64), ("addr", c_size_t)]


class ObjectList(Structure):
    _fields_ = [("items", POINTER(Object)), ("len", c_int64)]


class Event(Structure):
    _fields_ = [("fd", c_int), ("events", c_uint32)]


class EventList(Structure):
    _fields_ = [("items", POINTER(Event)), ("len", c_int64)]


class Key(Structure):
    _fields_ = [("fileobj", Object), ("fd", c_int), ("events", c_int), ("data", c_size_t), ("ready", c_int)]


class KeyList(Structure):
    _fields_ = [("items", POINTER(Key)), ("len", c_int64)]


NUMBER, WAITABLE, OPAQUE = range(3)  # kinds of an Object

# Go raises the limit of open files when it is loaded, which subprocesses would inherit. It has done so when the first call
# returns.
_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
lib = ctypes.CDLL(os.environ["PYSELECT_LIBRARY"])
lib.Free.argtypes = [c_void_p]
lib.Free.restype = None
lib.Constants.restype = lib.Statistics.restype = c_void_p


def from_json(text):
    """Decode and free what Go has returned."""
    try:
        return json.loads(ctypes.string_at(text))
    finally:
        lib.Free(text)


CONSTANTS = from_json(lib.Constants())
resource.setrlimit(resource.RLIMIT_NOFILE, _limit)


def statistics():
    return from_json(lib.Statistics())


def function(name, *argtypes, restype=None):
    """Return a function of the library that takes a pointer to a Failure last, as one that raises an exception."""
    f = getattr(lib, name)
    f.argtypes = [*argtypes, POINTER(Failure)]
    f.restype = restype

    def call(*args):
        if _in_child:
            raise RuntimeError("Go cannot be called in the child of a fork")
        failure = Failure()
        result = f(*args, byref(failure))
        if failure.kind:
            raise exception(failure)
        return result

    return call


# Kinds of a Failure.
(
    RAISED, NOT_WAITABLE, INVALID, CLOSED, NOT_REGISTERED, REGISTERED, CONCURRENT_POLL, TIMED_OUT, RESOLVER,
    WANT_READ, WANT_WRITE, EOF, CERTIFICATE, ALERT, TLS, OTHER,
) = range(1, 17)


class ClosedError(ValueError):
    """What has been closed is a ValueError in select, but not everywhere in selectors."""


EXCEPTIONS = {
    NOT_WAITABLE: TypeError,
    INVALID: ValueError,
    CLOSED: ClosedError,
    NOT_REGISTERED: KeyError,
    REGISTERED: KeyError,
    CONCURRENT_POLL: RuntimeError,
    TIMED_OUT: TimeoutError,
}
numbered = {OTHER: OSError}  # functions of the number and the text, to which modules add theirs


def exception(failure):
    text = failure.text.decode(errors="replace")
    if failure.kind == RAISED:
        return _raised.__dict__.pop("exception")
    if failure.kind in numbered:
        return numbered[failure.kind](failure.errno, text)
    return EXCEPTIONS[failure.kind](text)


_raised = threading.local()  # the exception of the last call of fileno


@ctypes.CFUNCTYPE(c_int, c_size_t, POINTER(c_int64))
def _fileno(addr, fd):
    try:
        number = to_object(addr).fileno()
        try:
            fd[0] = as_int64(int(number))
        except ValueError:
            raise TypeError(f"fileno() returned {number!r}") from None
        return 0
    except BaseException as e:
        _raised.exception = e
        return 1


lib.SetFileno(_fileno)


def as_int64(number):
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError("number too large")
    return number


def to_object(addr):
    """Return the object at an address. The caller has kept it alive."""
    return ctypes.cast(addr, ctypes.py_object).value


def to_go(obj):
    if isinstance(obj, int):
        return Object(kind=NUMBER, fd=as_int64(obj))
    return Object(kind=WAITABLE if hasattr(obj, "fileno") else OPAQUE, addr=id(obj))


def from_go(obj):
    return obj.fd if obj.kind == NUMBER else to_object(obj.addr)


def take(result, convert):
    """Convert and free a list that Go has allocated."""
    try:
        return [convert(result.items[i]) for i in range(result.len)]
    finally:
        lib.Free(result.items)


class Handle:
    """A base class of what exists in Go. Go closes it with the last reference to it.

    That is up to a capsule, because the garbage collector calls __del__ of all objects of a cycle first, and some of them may go
    on to use others.
    """

    __slots__ = ("_as_parameter_", "_capsule")

    def __init__(self, handle):
        self._as_parameter_ = handle
        self._capsule = _new_capsule(handle, None, lib.release_capsule)


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.argtypes = [c_size_t, c_char_p, c_void_p]
_new_capsule.restype = ctypes.py_object


def _forked():
    global _in_child
    _in_child = True


_in_child = False  # of a fork, see run.py
os.register_at_fork(after_in_child=_forked)

FOREVER = (1 << 63) - 1
SLICE = 20_000_000  # nanoseconds


def nanoseconds(timeout, unit):
    """Return a timeout for Go, rounded away from zero as in Python: one that is not zero stays so."""
    if timeout is None:
        return FOREVER
    if not isinstance(timeout, (int, float)) and not hasattr(timeout, "__index__"):
        raise TypeError("timeout must be a number or None")
    if math.isnan(timeout):
        raise ValueError("timeout is not a number")
    ns = timeout * unit
    ns = math.ceil(ns) if ns > 0 else math.floor(ns)
    return as_int64(ns)


def in_main_thread():
    return threading.current_thread() is threading.main_thread()


def wait(poll, timeout):
    """Return poll(timeout).

    Python calls the handlers of signals in the main thread and between two of its instructions: not during a call of Go,
    which goes on waiting after a signal. So the main thread waits in slices.
    """
    if timeout <= SLICE or not in_main_thread():
        return poll(timeout)
    end = monotonic_ns() + timeout
    while True:
        left = max(end - monotonic_ns(), 0)
        result = poll(min(left, SLICE))
        if any(result) or left <= SLICE:
            return result
