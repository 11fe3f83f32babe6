"""The waits in CPython. Usage: bench.py WORK WATCHED READY MILLISECONDS; prints the nanoseconds that one operation takes."""
import functools
import os
import resource
import select
import selectors
import socket
import sys
import threading
import time

work, watched, ready, sample = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]) / 1e3

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
fds = [os.eventfd((i + 1) * ready // watched - i * ready // watched, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for i in range(watched)]
ends = socket.socketpair()


def repeat(call, *args):
    def run(n):
        for _ in range(n):
            call(*args)
    assert len(call(*args)) == ready
    return run


def epoll():
    e = select.epoll()
    for fd in fds:
        e.register(fd, select.EPOLLIN)
    return repeat(e.poll, 0)


def poll():
    p = select.poll()
    for fd in fds:
        p.register(fd, select.POLLIN)
    return repeat(p.poll, 0)


def select_select():
    return repeat(lambda: select.select(fds, [], [], 0)[0])


def selector(create):
    def setup():
        sel = create()
        for fd in fds:
            sel.register(fd, selectors.EVENT_READ)
        return repeat(sel.select, 0)
    return setup


def modify():
    e, fd = select.epoll(), fds[0]
    e.register(fd, select.EPOLLIN)

    def run(n):
        for _ in range(0, n, 2):
            e.modify(fd, select.EPOLLOUT)
            e.modify(fd, select.EPOLLIN)
    return run


def selector_modify(a, b):
    def setup():
        sel, fd = selectors.EpollSelector(), fds[0]
        sel.register(fd, *b)

        def run(n):
            for _ in range(0, n, 2):
                sel.modify(fd, *a)
                sel.modify(fd, *b)
        return run
    return setup


def register(create, events, obj=None):
    def setup():
        e, fd = create(), obj or fds[0]

        def run(n):
            for _ in range(n):
                e.register(fd, events)
                e.unregister(fd)
        return run
    return setup


def waiter(create, wait, events, timeout=None):
    def prepare(fd):
        e = create()
        e.register(fd, events)
        return functools.partial(getattr(e, wait), timeout)
    return prepare


def select_waiter(fd):
    return functools.partial(select.select, [fd], [], [])


def pingpong(prepare):
    def setup():
        def player(end):
            fd = end.fileno()
            call = prepare(fd)

            def run(n):
                for _ in range(n):
                    call()
                    os.write(fd, os.read(fd, 1))
            return run
        threading.Thread(target=player(ends[1]), args=(sys.maxsize,), daemon=True).start()
        ends[0].send(b"x")
        return player(ends[0])
    return setup


works = {
    "epoll": epoll,
    "poll": poll,
    "select": select_select,
    "selector": selector(selectors.EpollSelector),
    "selector-poll": selector(selectors.PollSelector),
    "selector-select": selector(selectors.SelectSelector),
    "modify": modify,
    "selector-modify": selector_modify((selectors.EVENT_WRITE,), (selectors.EVENT_READ,)),
    "selector-modify-data": selector_modify((selectors.EVENT_READ, "a"), (selectors.EVENT_READ, "b")),
    "register": register(select.epoll, select.EPOLLIN),
    "register-socket": register(select.epoll, select.EPOLLIN, ends[0]),
    "selector-register": register(selectors.EpollSelector, selectors.EVENT_READ),
    "pingpong": pingpong(waiter(select.epoll, "poll", select.EPOLLIN)),
    "pingpong-1s": pingpong(waiter(select.epoll, "poll", select.EPOLLIN, 1)),
    "pingpong-poll": pingpong(waiter(select.poll, "poll", select.POLLIN)),
    "pingpong-select": pingpong(select_waiter),
    "selector-pingpong": pingpong(waiter(selectors.EpollSelector, "select", selectors.EVENT_READ)),
}


def seconds(run, n):
    start = time.perf_counter()
    run(n)
    return time.perf_counter() - start


run, n = works[work](), 2
while (took := seconds(run, n)) < sample / 5:
    n *= 2
n = int(n * sample / took / 2 + 1) * 2
print(seconds(run, n) / n * 1e9)
