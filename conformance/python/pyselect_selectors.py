"""Stands in for Python's selectors module.

The keys are kept, found and validated in Go. What is taken from CPython's module is the abstract class BaseSelector, which
programs derive from, the named tuple SelectorKey and the two constants.
"""

from collections.abc import Mapping
from ctypes import POINTER, byref, c_int, c_int64, c_size_t, c_uint8

import binding
from binding import ClosedError, Handle, Key, KeyList, Object, from_go, nanoseconds, take, to_go, to_object
from cpython_selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey


def _function(name, *argtypes, restype=None):
    """What has no valid fileno is a ValueError in this module."""
    f = binding.function(name, *argtypes, restype=restype)

    def call(*args):
        try:
            return f(*args)
        except (AttributeError, TypeError) as e:
            raise ValueError(f"Invalid file object: {e}") from None

    return call


_register = _function("SelectorRegister", c_size_t, Object, c_uint8, c_size_t, POINTER(Key))
_unregister = _function("SelectorUnregister", c_size_t, Object, POINTER(Key))
_modify = _function("SelectorModify", c_size_t, Object, c_uint8, c_size_t, POINTER(Key))
_key = _function("SelectorKey", c_size_t, Object, POINTER(Key))
_select = _function("SelectorSelect", c_size_t, c_int64, POINTER(KeyList))
_fileno = _function("SelectorFileno", c_size_t, restype=c_int)
_close = _function("SelectorClose", c_size_t)
_keys = binding.lib.SelectorKeys
_keys.argtypes = [c_size_t, POINTER(KeyList)]
_keys.restype = None
_len = binding.lib.SelectorLen
_len.argtypes = [c_size_t]
_len.restype = c_int64


def _event(events):
    if not 0 <= events <= 0xFF:
        raise ValueError(f"Invalid events: {events!r}")
    return events


def _selector_key(key):
    return SelectorKey(from_go(key.fileobj), key.fd, key.events, to_object(key.data))


class _Map(Mapping):
    def __init__(self, selector):
        self._selector = selector

    def __len__(self):
        return _len(self._selector)

    def __getitem__(self, fileobj):
        try:
            return self._selector._call(_key, fileobj)
        except ClosedError as e:
            raise KeyError(str(e)) from None

    def __iter__(self):
        result = KeyList()
        _keys(self._selector, byref(result))
        return iter(take(result, lambda key: key.fd))


class _Selector(Handle, BaseSelector):
    def __init__(self):
        Handle.__init__(self, self._new())
        self._held = {}  # the objects of the keys, of which Go has the addresses
        self._map = _Map(self)

    def _call(self, function, fileobj, *args):
        key = Key()
        function(self, to_go(fileobj), *args, byref(key))
        return _selector_key(key)

    def register(self, fileobj, events, data=None):
        key = self._call(_register, fileobj, _event(events), id(data))
        self._held[key.fd] = fileobj, data
        return key

    def unregister(self, fileobj):
        key = self._call(_unregister, fileobj)
        del self._held[key.fd]
        return key

    def modify(self, fileobj, events, data=None):
        key = self._call(_modify, fileobj, _event(events), id(data))
        self._held[key.fd] = key.fileobj, data
        return key

    def select(self, timeout=None):
        def poll(ns):
            result = KeyList()
            _select(self, ns, byref(result))
            return take(result, lambda key: (_selector_key(key), key.ready))

        return binding.wait(poll, nanoseconds(timeout, 1e9))

    def get_key(self, fileobj):
        try:
            return self._call(_key, fileobj)
        except ClosedError as e:
            raise RuntimeError(str(e)) from None

    def get_map(self):
        return self._map

    def close(self):
        _close(self)
        self._map = None
        self._held.clear()


class SelectSelector(_Selector):
    _new = staticmethod(_function("NewSelectSelector", restype=c_size_t))


class PollSelector(_Selector):
    _new = staticmethod(_function("NewPollSelector", restype=c_size_t))


class EpollSelector(_Selector):
    _new = staticmethod(_function("NewEpollSelector", restype=c_size_t))

    def fileno(self):
        return _fileno(self)


class DefaultSelector(EpollSelector):
    _new = staticmethod(_function("NewDefaultSelector", restype=c_size_t))
