"""Runs tests of CPython and writes what comes of each.

usage: run.py MODE RESULTS TEST...

A TEST that begins with "-" is left out of the others: it is the beginning of names, in which * is any text. One that begins with
"+" is a module that has one of Twisted's reactors, which is installed for the others. One that begins with "@" is a package whose
tests are pytest's, and one with "::" a test of them.

MODE says what to import as select, selectors, _socket and _ssl: "cpython" is what belongs to Python, "select" the Go library as select
and CPython's selectors on top of it, "selectors" the Go library as both, "socket" the Go library as the first three, with CPython's
socket.py on top of it, "ssl" the Go library as all four. RESULTS is a file, of one JSON object per line.
"""

import importlib
import os
import sys


def stand_in(mode):
    """Has to come before anything else imports the modules that it replaces."""
    cpython = {name: importlib.import_module(name) for name in ("select", "selectors")}
    sys.modules["cpython_selectors"] = sys.modules.pop("selectors")
    sys.modules["select"] = importlib.import_module("pyselect_select")
    if mode != "select":
        sys.modules["selectors"] = importlib.import_module("pyselect_selectors")
    if mode in ("socket", "ssl"):
        sys.modules["_socket"] = pyselect_socket = importlib.import_module("pyselect_socket")
        pyselect_socket.adapt(importlib.import_module("socket"))
    if mode == "ssl":
        sys.modules["_ssl"] = pyselect_ssl = importlib.import_module("pyselect_ssl")
        pyselect_ssl.adapt(importlib.import_module("ssl"))

    import select
    import selectors

    def forked():
        # Go cannot run in the child of a fork, which has one of its threads only: what is made there is CPython's.
        for name in "select", "poll", "epoll":
            setattr(select, name, getattr(cpython["select"], name))
        for name in "SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector":
            setattr(selectors, name, getattr(cpython["selectors"], name))

    os.register_at_fork(after_in_child=forked)


def main(mode, results, *names):
    if mode != "cpython":
        early = {"select", "selectors"} & sys.modules.keys()
        assert not early, f"imported too early: {early}"
        stand_in(mode)

    # Not before here, because these import the modules above.
    import faulthandler
    import fnmatch
    import gc
    import json
    import unittest

    faulthandler.dump_traceback_later(540, exit=True)

    with open(results, "w", buffering=1) as file:

        pid = os.getpid()

        def write(**line):
            if os.getpid() == pid:  # and not a fork that a test has left
                print(json.dumps(line), file=file)

        class Result(unittest.TestResult):
            def startTest(self, test):
                super().startTest(test)
                self.outcome = {"outcome": "passed"}
                write(started=test.id())

            def stopTest(self, test):
                super().stopTest(test)
                write(test=test.id(), **self.outcome)
                self.outcome = None

            def note(self, test, outcome, detail):
                if self.outcome is None:  # of setUpClass or setUpModule
                    write(test=test.id(), outcome=outcome, detail=detail)
                elif self.outcome["outcome"] in ("passed", "skipped"):
                    self.outcome = {"outcome": outcome, "detail": detail}

            outcome = None

            def addError(self, test, err):
                self.note(test, "error", self._exc_info_to_string(err, test))

            def addFailure(self, test, err):
                self.note(test, "failed", self._exc_info_to_string(err, test))

            def addSubTest(self, test, subtest, err):
                if err is not None:
                    outcome = "failed" if issubclass(err[0], test.failureException) else "error"
                    self.note(test, outcome, f"{subtest}\n{self._exc_info_to_string(err, test)}")

            def addSkip(self, test, reason):
                self.note(test, "skipped", reason)

            def addExpectedFailure(self, test, err):
                self.note(test, "expected failure", self._exc_info_to_string(err, test))

            def addUnexpectedSuccess(self, test):
                self.note(test, "unexpected success", "")

        class Plugin:
            """Writes what comes of pytest's tests."""

            def pytest_collection_modifyitems(self, items):
                items[:] = [item for item in items if not any(fnmatch.fnmatchcase(item.nodeid, pattern) for pattern in left_out)]

            def pytest_runtest_logstart(self, nodeid):
                write(started=nodeid)

            def pytest_runtest_logreport(self, report):
                outcome = report.outcome
                if hasattr(report, "wasxfail"):
                    outcome = "unexpected success" if report.passed else "expected failure"
                if report.when == "call" or outcome != "passed":
                    write(test=report.nodeid, outcome=outcome, detail=report.longreprtext)

            def pytest_collectreport(self, report):
                if report.skipped:
                    write(test=report.nodeid, outcome=report.outcome, detail=report.longreprtext)

        left_out = [name[1:] + "*" for name in names if name.startswith("-")]

        def without(suite):
            if isinstance(suite, unittest.TestCase):
                return [] if any(fnmatch.fnmatchcase(suite.id(), pattern) for pattern in left_out) else suite
            return type(suite)(filter(None, map(without, suite))) if left_out else suite

        for name in names:
            if name.startswith("-"):
                continue
            if name.startswith("+"):
                importlib.import_module(name[1:]).install()
                continue
            if name.startswith("@") or "::" in name:
                import pytest

                package = importlib.import_module(name.lstrip("@").partition("/")[0])
                root = os.path.dirname(os.path.dirname(package.__file__))
                path = os.path.join(root, name.lstrip("@"))
                status = pytest.main(["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", root, path], [Plugin()])
                if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                    sys.exit(f"pytest: {status!r}")
                continue
            try:
                suite = without(unittest.defaultTestLoader.loadTestsFromName(name))
                if unittest.defaultTestLoader.errors:
                    sys.exit(unittest.defaultTestLoader.errors[0])
            except unittest.SkipTest as e:
                write(test=name, outcome="skipped", detail=str(e))
            else:
                suite.run(Result())
                del suite

        faulthandler.cancel_dump_traceback_later()
        if mode == "cpython":
            write(end=True)
        else:
            import binding

            gc.collect()
            held = sum(issubclass(type(obj), binding.Handle) for obj in gc.get_objects())
            write(end=True, held=held, **binding.statistics())


main(*sys.argv[1:])
