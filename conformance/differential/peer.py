"""The Python side: reads one step per line and answers with one line, "!KIND" for an exception."""

import fcntl
import os
import select
import selectors
import socket
import sys
import zlib

NUMBERS = range(200, 204)
PAYLOAD = b"\1" + bytes(7)  # which an eventfd takes too


SOCKETS, TIMEOUT, MOST_OF_INET = 5, 0.005, 1000
FAMILIES = {"inet": socket.AF_INET, "unix": socket.AF_UNIX}
TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
CLOSED = socket.socket(socket.AF_UNIX)
CLOSED.close()


class Object:
    """A file object, as a socket or a file is one."""

    def __init__(self, name, fd, closed=False):
        self.name, self.fd, self.closed = name, fd, closed

    def fileno(self):
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self.fd


class Unwaitable:
    pass


class Machine:
    def __init__(self):
        self.count = dict.fromkeys(NUMBERS, 0)
        self.current = {n: Object(f"o{n}.0", n, closed=True) for n in NUMBERS}
        self.previous = dict(self.current)
        self.objects = {"poll": select.poll(), "epoll": select.epoll()}
        for kind in selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector:
            self.objects[kind.__name__] = kind()
        self.sockets = {}
        self.names = 0  # given to Unix sockets
        self.before = {}  # the keys of the selector of the last step before that

    def end(self):
        for name in "epoll", "SelectSelector", "PollSelector", "EpollSelector":
            self.objects[name].close()
        for s in self.sockets.values():
            s.close()
        for n in NUMBERS:
            try:
                os.close(n)
            except OSError:
                pass

    def do(self, line):
        op, *args = line.split()
        owner, _, method = op.partition(".")
        if not method:
            return getattr(self, "do_" + op)(*args)
        if owner == "socket":
            return self.do_socket(method, *args)
        if owner == "poll":
            return self.do_poll(self.objects[owner], method, *args)
        if owner == "epoll":
            return self.do_epoll(self.objects[owner], method, *args)
        return self.do_selector(self.objects[owner], method, *args)

    def operand(self, text, self_=None):
        if text == "self":
            return self_
        if text == "unwaitable":
            return Unwaitable()
        if text.startswith("alias"):
            return Object(text, int(text[5:]))
        if text.startswith("old"):
            return self.previous[int(text[3:])]
        if text.startswith("o"):
            return self.current[int(text[1:])]
        return int(text)

    # Descriptors.

    def place(self, fd, n):
        """Gives a new descriptor the number n."""
        os.dup2(fd, n, inheritable=False)
        os.close(fd)
        self.own(n)

    def own(self, n):
        os.set_blocking(n, False)
        self.count[n] += 1
        self.previous[n] = self.current[n]
        self.current[n] = Object(f"o{n}.{self.count[n]}", n)

    def do_pipe(self, r, w):
        a, b = os.pipe()
        self.place(a, int(r))
        self.place(b, int(w))

    def do_socketpair(self, a, b):
        x, y = socket.socketpair()
        self.place(x.detach(), int(a))
        self.place(y.detach(), int(b))

    def do_file(self, n):
        self.place(os.memfd_create("file"), int(n))

    def do_null(self, n):
        self.place(os.open("/dev/null", os.O_RDWR), int(n))

    def do_directory(self, n):
        self.place(os.open("/", os.O_RDONLY), int(n))

    def do_eventfd(self, n):
        self.place(os.eventfd(0), int(n))

    def do_dup(self, n, to):
        os.dup2(int(n), int(to), inheritable=False)
        self.own(int(to))

    def do_close(self, n):
        """Closes the object, which knows it then, and the descriptor."""
        self.current[int(n)].closed = True
        os.close(int(n))

    def do_closefd(self, n):
        """Closes the descriptor behind the object's back."""
        os.close(int(n))

    def do_write(self, n):
        os.write(int(n), PAYLOAD)

    def do_oob(self, n):
        s = socket.socket(fileno=int(n))
        try:
            s.send(b"!", socket.MSG_OOB)
        finally:
            s.detach()

    def do_drain(self, n):
        try:
            while os.read(int(n), 1 << 16):
                pass
        except BlockingIOError:
            pass

    def do_fill(self, n):
        size = 1 << 16
        for _ in range(64):
            try:
                os.write(int(n), PAYLOAD * (size // len(PAYLOAD)))
            except BlockingIOError:
                size //= 2
                if size < len(PAYLOAD):
                    return

    def do_shutdown(self, n, how):
        s = socket.socket(fileno=int(n))
        try:
            s.shutdown(int(how))
        finally:
            s.detach()

    # Facilities.

    def do_select(self, rlist, wlist, xlist, timeout):
        lists = [[self.operand(o) for o in l.split(",") if o] for l in (rlist[2:], wlist[2:], xlist[2:])]
        ready = select.select(*lists, int(timeout) / 1e6)
        return " ".join(p + "=" + ",".join(map(name, l)) for p, l in zip("rwx", ready))

    def do_poll(self, p, method, *args):
        if method == "poll":
            return " ".join(f"{fd}:{mask:#x}" for fd, mask in p.poll(int(args[0]) / 1e3))
        getattr(p, method)(self.operand(args[0], p), *(int(mask, 0) for mask in args[1:]))

    def do_epoll(self, ep, method, *args):
        if method == "poll":
            return " ".join(sorted(f"{fd}:{mask:#x}" for fd, mask in ep.poll(int(args[0]) / 1e6, int(args[1]))))
        if method == "close":
            return ep.close()
        if method == "closed":
            return str(ep.closed).lower()
        if method == "fileno":
            ep.fileno()
            return
        getattr(ep, method)(self.operand(args[0], ep), *(int(mask, 0) for mask in args[1:]))

    def do_selector(self, sel, method, *args):
        self.before = dict(sel._fd_to_key)
        if method == "select":
            ready = [f"{show(key)}={events}" for key, events in sel.select(int(args[0]) / 1e6)]
            return " ".join(ready if isinstance(sel, selectors.PollSelector) else sorted(ready))
        if method == "close":
            return sel.close()
        if method == "fileno":
            sel.fileno()
            return
        if method == "keys":
            mapping = sel.get_map()
            if mapping is None:
                return "None"
            assert len(mapping) == len(list(mapping))
            return " ".join(map(show, mapping.values()))
        return show(getattr(sel, method)(self.operand(args[0], sel), *map(int, args[1:])))

    # Sockets.

    def do_socket(self, method, *args):
        first, *rest = args
        n = int(first)
        if method == "new":
            return self.place_socket(n, socket.socket(FAMILIES[rest[0]], TYPES[rest[1]]))
        if method == "pair":
            a, b = socket.socketpair(socket.AF_UNIX, TYPES[rest[1]])
            self.place_socket(n, a)
            return self.place_socket(int(rest[0]), b)
        s = self.sockets.get(n) or CLOSED
        if s.fileno() == -1 and method not in ("close", "identity"):
            raise OSError(9, "closed")
        if method == "bind":
            if s.family == socket.AF_INET:
                return s.bind(("127.0.0.1", 0))
            self.names += 1
            return s.bind(f"\0pyselect-differential-{os.getpid()}-{self.names}")
        if method in ("connect", "connect_ex", "sendto"):
            other = self.sockets.get(int(rest[0])) or CLOSED
            addr = other.getsockname()
            if s.family != other.family:
                return "another family"
            if method == "sendto":
                return str(s.sendto(self.data(s, rest[1]), addr))
            result = getattr(s, method)(addr)
            return None if result is None else str(result)
        if method == "accept":
            c, addr = s.accept()
            self.place_socket(int(rest[0]), c)
            return self.whose(addr)
        if method == "send":
            return str(s.send(self.data(s, rest[0]), int(rest[1], 0)))
        if method == "sendall":
            return s.sendall(self.data(s, rest[0]))
        if method == "sendmsg":
            return str(s.sendmsg([self.data(s, size) for size in rest]))
        if method == "recv":
            buffer = bytearray(int(rest[0]))
            return total(buffer, s.recv_into(buffer, 0, int(rest[1], 0)))
        if method == "recvfrom":
            buffer = bytearray(int(rest[0]))
            size, addr = s.recvfrom_into(buffer)
            return f"{total(buffer, size)} from {self.whose(addr)}"
        if method == "recvmsg":
            buffers = [bytearray(int(size)) for size in rest]
            size, _, flags, addr = s.recvmsg_into(buffers)
            return f"{total(b''.join(buffers), size)} flags {flags} from {self.whose(addr)}"
        if method == "adopt":
            return self.place_socket(n, socket.socket(fileno=s.detach()))
        if method == "dup":
            return self.place_socket(int(rest[0]), s.dup())
        if method == "settimeout":
            return s.settimeout(int(rest[0]) / 1e6)
        if method in ("getpeername", "getsockname"):
            return self.whose(getattr(s, method)())
        if method == "getsockopt":
            return str(s.getsockopt(socket.SOL_SOCKET, int(rest[0])))
        if method == "identity":
            return "0 0 0" if s is CLOSED else f"{int(s.family)} {int(s.type)} {s.proto}"
        result = getattr(s, method)(*map(int, rest))
        return None if result is None else str(result)

    def place_socket(self, n, s):
        if n in self.sockets:
            self.sockets[n].close()
        self.sockets[n] = s
        s.settimeout(TIMEOUT)

    def data(self, s, size):
        size = int(size)
        if s.family == socket.AF_INET:
            size = min(size, MOST_OF_INET)
        return bytes((i ^ size) & 255 for i in range(size))

    def whose(self, addr):
        if not addr:
            return "none"
        for n in range(SOCKETS):
            s = self.sockets.get(n)
            if s and s.fileno() != -1 and s.getsockname() == addr:
                return str(n)
        return "somebody"

    # Repairs.

    def do_rewrite(self, selector, fd, events, data):
        """Makes the keys what they were before the last step, save for the events and the data of one."""
        sel, fd, events = self.objects[selector], int(fd), int(events)
        keys = dict(self.before)
        keys[fd] = keys[fd]._replace(events=events, data=int(data))
        sel._fd_to_key = keys
        if isinstance(sel, selectors.SelectSelector):
            sel._readers = {fd for fd, key in keys.items() if key.events & selectors.EVENT_READ}
            sel._writers = {fd for fd, key in keys.items() if key.events & selectors.EVENT_WRITE}
            return
        mask = sel._EVENT_READ if events & selectors.EVENT_READ else 0
        mask |= sel._EVENT_WRITE if events & selectors.EVENT_WRITE else 0
        try:
            sel._selector.modify(fd, mask)
        except OSError:
            pass  # it was not in the kernel's set before either

    def do_exorcise(self, selector, fd, duplicate):
        """Removes a descriptor that was closed, but has a duplicate, from the kernel's set."""
        fd = int(fd)
        try:
            saved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)
        except OSError:
            saved = None
        os.dup2(int(duplicate), fd, inheritable=False)
        self.objects[selector]._selector.unregister(fd)
        if saved is None:
            os.close(fd)
        else:
            os.dup2(saved, fd, inheritable=False)
            os.close(saved)


def total(buffer, size):
    return f"{size}:{zlib.crc32(buffer[:size])}"


def name(fileobj):
    return fileobj.name if isinstance(fileobj, Object) else str(fileobj)


def show(key):
    return f"{name(key.fileobj)}/{key.fd}/{key.events}/{key.data}"


def kind(e, op):
    text = str(e)
    if isinstance(e, TimeoutError) and e.errno is None:
        return "timeout"
    if op.startswith("socket.") and isinstance(e, OSError) and e.errno == 9:
        return "closed"
    if isinstance(e, OSError):
        return f"errno{e.errno}"
    if isinstance(e, KeyError):
        return "registered" if op.endswith(".register") else "notRegistered"
    if isinstance(e, (TypeError, AttributeError)):
        return "notWaitable"
    if isinstance(e, ValueError) and text.startswith("Invalid file object"):
        return kind(e.__context__, op)  # what the object's fileno has raised
    if isinstance(e, (ValueError, RuntimeError)) and "closed" in text:
        return "closed"
    if isinstance(e, ValueError):
        return "FD_SETSIZE" if "out of range in select" in text else "invalid"
    raise e


def main():
    machine = Machine()
    for line in sys.stdin:
        if line == "reset\n":
            machine.end()
            machine = Machine()
            answer = "ok"
        else:
            try:
                answer = machine.do(line)
                if answer is None:
                    answer = "ok"
            except Exception as e:
                answer = "!" + kind(e, line.split()[0])
        print(answer, flush=True)


main()
