package main

import "testing"

// The same test passes on plain CPython, but is none of its own.
func TestCollected(t *testing.T) {
	r, err := newRunner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if r.python, _, err = findPython("", origins[0]); err != nil {
		t.Skip(err)
	}
	theirs, ours, err := r.both("socket", "test_collected")
	if err != nil {
		t.Fatal(err)
	}
	for name, res := range map[string]*results{"plain CPython": theirs, "here": ours} {
		if len(res.tests) == 0 {
			t.Errorf("%s: no tests were run", name)
		}
		for test, result := range res.tests {
			if result.Outcome != "passed" {
				t.Errorf("%s: %s: %s\n%s", name, test, result.Outcome, result.Detail)
			}
		}
	}
	if ours.handles != 0 {
		t.Errorf("%d handles are left in Go", ours.handles)
	}
}
