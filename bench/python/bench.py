"""The waits in CPython. Usage: bench.py WORK WATCHED READY MILLISECONDS; prints the nanoseconds that one operation takes."""
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


def register(create, events):
    def setup():
        e, fd = create(), fds[0]

        def run(n):
            for _ in range(n):
                e.register(fd, events)
                e.unregister(fd)
        return run
    return setup


def pingpong(create, wait, events, timeout):
    def setup():
        def player(end):
            e, fd = create(), end.fileno()
            e.register(fd, events)

            def run(n):
                call = getattr(e, wait)
                for _ in range(n):
                    call(timeout)
                    os.write(fd, os.read(fd, 1))
            return run
        global ends
        ends = socket.socketpair()
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
    "selector-register": register(selectors.EpollSelector, selectors.EVENT_READ),
    "pingpong": pingpong(select.epoll, "poll", select.EPOLLIN, None),
    "pingpong-1s": pingpong(select.epoll, "poll", select.EPOLLIN, 1),
    "selector-pingpong": pingpong(selectors.EpollSelector, "select", selectors.EVENT_READ, None),
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
