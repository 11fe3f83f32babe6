"""Stands in for Python's select module.

What the types of Go check, masks and numbers of the right size, is checked here. All else is up to the Go library.
"""

import operator
import os
from ctypes import POINTER, byref, c_int, c_int64, c_size_t, c_uint32

import binding
from binding import EventList, FOREVER, Handle, Object, ObjectList, from_go, function, in_main_thread, nanoseconds, take, to_go

globals().update(binding.CONSTANTS)  # POLLIN and so on
EPOLL_CLOEXEC = os.O_CLOEXEC
error = OSError

_select = function("Select", POINTER(ObjectList), c_int64, POINTER(ObjectList))


# A builtin function is no method where a class has it as an attribute, as those of selectors.py do: hence staticmethod.
@staticmethod
def select(rlist, wlist, xlist, timeout=None, /):
    ns = nanoseconds(timeout, 1e9)
    lists = [list(rlist), list(wlist), list(xlist)]  # which keep the objects alive
    arrays = [(Object * len(objects))(*map(to_go, objects)) for objects in lists]
    args = (ObjectList * 3)(*(ObjectList(array, len(array)) for array in arrays))

    def poll(ns):
        result = (ObjectList * 3)()
        _select(args, ns, result)
        return tuple(take(objects, from_go) for objects in result)

    return binding.wait(poll, ns)


def _poll_mask(mask):
    mask = operator.index(mask)
    if mask < 0:
        raise ValueError("value must be positive")
    if mask > 0xFFFF:
        raise OverflowError("mask too large")
    return mask


def _epoll_mask(mask):
    return operator.index(mask) & 0xFFFFFFFF


def _wait(poll, timeout, unit):
    """Wait where a negative timeout is for ever."""
    ns = nanoseconds(timeout, unit)
    if ns < 0 and in_main_thread():
        ns = FOREVER  # which can be sliced
    return binding.wait(poll, ns)


def _pair(event):
    return event.fd, event.events


_new_poll = binding.lib.NewPoll
_new_poll.restype = c_size_t
_poll_register = function("PollRegister", c_size_t, Object, c_uint32)
_poll_modify = function("PollModify", c_size_t, Object, c_uint32)
_poll_unregister = function("PollUnregister", c_size_t, Object)
_poll_poll = function("PollPoll", c_size_t, c_int64, POINTER(EventList))


class _Poll(Handle):
    def __new__(cls):
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__name__}' instances")

    def register(self, fd, eventmask=POLLIN | POLLPRI | POLLOUT, /):
        _poll_register(self, to_go(fd), _poll_mask(eventmask))

    def modify(self, fd, eventmask, /):
        _poll_modify(self, to_go(fd), _poll_mask(eventmask))

    def unregister(self, fd, /):
        _poll_unregister(self, to_go(fd))

    def poll(self, timeout=None, /):
        def poll(ns):
            result = EventList()
            _poll_poll(self, ns, byref(result))
            return take(result, _pair)

        return _wait(poll, timeout, 1e6)


@staticmethod
def poll():
    p = object.__new__(_Poll)
    p.__init__(_new_poll())
    return p


_new_epoll = function("NewEpoll", restype=c_size_t)
_epoll_from_fd = function("EpollFromFd", c_int, restype=c_size_t)
_epoll_close = function("EpollClose", c_size_t)
_epoll_closed = binding.lib.EpollClosed
_epoll_closed.argtypes = [c_size_t]
_epoll_fileno = function("EpollFileno", c_size_t, restype=c_int)
_epoll_register = function("EpollRegister", c_size_t, Object, c_uint32)
_epoll_modify = function("EpollModify", c_size_t, Object, c_uint32)
_epoll_unregister = function("EpollUnregister", c_size_t, Object)
_epoll_poll = function("EpollPoll", c_size_t, c_int64, c_int, POINTER(EventList))


class epoll(Handle):
    def __init__(self, sizehint=-1, flags=0):
        if operator.index(sizehint) < -1 or sizehint == 0:
            raise ValueError("sizehint must be positive or -1")
        if flags not in (0, EPOLL_CLOEXEC):
            raise OSError("invalid flags")
        super().__init__(_new_epoll())

    @classmethod
    def fromfd(cls, fd, /):
        e = cls.__new__(cls)
        Handle.__init__(e, _epoll_from_fd(fd))
        return e

    def close(self):
        _epoll_close(self)

    @property
    def closed(self):
        return bool(_epoll_closed(self))

    def fileno(self):
        return _epoll_fileno(self)

    def register(self, fd, eventmask=EPOLLIN | EPOLLPRI | EPOLLOUT):
        _epoll_register(self, to_go(fd), _epoll_mask(eventmask))

    def modify(self, fd, eventmask):
        _epoll_modify(self, to_go(fd), _epoll_mask(eventmask))

    def unregister(self, fd):
        _epoll_unregister(self, to_go(fd))

    def poll(self, timeout=None, maxevents=-1):
        def poll(ns):
            result = EventList()
            _epoll_poll(self, ns, maxevents, byref(result))
            return take(result, _pair)

        return _wait(poll, timeout, 1e9)

    def __enter__(self):
        self.fileno()  # fails if it is closed
        return self

    def __exit__(self, *_):
        self.close()
