package main

import "testing"

// Each defect is still one of the code as it is.
func TestDefects(t *testing.T) {
	all, err := defects(list)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, d := range all {
		if _, err := d.apply("../.."); err != nil {
			t.Error(err)
		}
		if names[d.name] {
			t.Errorf("two defects have the name %q", d.name)
		}
		names[d.name] = true
	}
}

func TestParse(t *testing.T) {
	for _, bad := range []string{
		"name\nfile pkg run\n",
		"name\nfile pkg\n-old\n+new",
		"name\nfile pkg run\n-old\nnew",
	} {
		if all, err := defects(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, all)
		}
	}
}

func TestFirstFailure(t *testing.T) {
	for _, test := range []struct{ output, want string }{
		{"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/sub (0.00s)\n--- FAIL: TestB (0.00s)\n", "TestA"},
		{"panic: test timed out after 30s\n\trunning tests:\n\t\tTestC (30s)\n", "TestC waits in vain"},
		{"fatal error: all goroutines are asleep - deadlock!\n", "fatal error: all goroutines are asleep - deadlock!"},
		{"panic: oh\n", "panic: oh"},
	} {
		if got := firstFailure(test.output); got != test.want {
			t.Errorf("%q: %q, want %q", test.output, got, test.want)
		}
	}
}
