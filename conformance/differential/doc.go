// Package differential compares this module with CPython: random programs over descriptors, and others over sockets, run step by
// step here and in a Python process, and each step must have the same result in both, save for the intended differences, which are
// a table in differences_test.go. It needs Linux and Python 3.10 or newer.
//
// A program is made from a seed. To run more than the few that go test runs, or the fuzzer:
//
//	go test ./differential -timeout 0 -programs 50000 -seed 1000
//	go test ./differential -fuzz FuzzDifferential -fuzzminimizetime 10x
//	go test ./differential -fuzz FuzzSockets -fuzzminimizetime 10x
//
// A failure is reported with the steps that it needs, this module's answer to each and Python's answer to the last.
package differential
