"""What Python's garbage collector does with objects that exist in Go."""

import gc
import select
import selectors
import unittest


def wait_finally(wait, results):
    this = yield  # a cycle
    try:
        yield
    finally:
        results.append(wait(0))


class TestCollected(unittest.TestCase):
    def test_used_finally(self):
        """The collector finalizes all objects of a cycle before it frees one. The finalizer of a generator runs its finally."""
        for make in select.poll, select.epoll, selectors.DefaultSelector:
            with self.subTest(make):
                results = []
                obj = make()
                generator = wait_finally(getattr(obj, "select", None) or obj.poll, results)
                next(generator)
                generator.send(generator)
                del obj, generator
                gc.collect()
                self.assertEqual(results, [[]])
