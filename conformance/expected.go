package main

// expected are the tests that end in another way than on plain CPython, by suite, with the reason.
var expected = map[string]map[string]string{
	"test_select": {
		"test.test_select.SelectTestCase.test_select_mutated": "its fileno method shortens the list that select is reading: " +
			"Go's slices keep their length, so that all of it is waited for",
	},
	"test_poll": {
		"test.test_poll.PollTests.test_poll_c_limits": "expects an OverflowError for a timeout of more than INT_MAX milliseconds, " +
			"which works here",
	},
	"test_selectors": {
		"test.test_selectors.DefaultSelectorTestCase.test_modify_unregister": mocked,
		"test.test_selectors.PollSelectorTestCase.test_modify_unregister":    mocked,
		"test.test_selectors.EpollSelectorTestCase.test_modify_unregister":   mocked,
	},
}

const mocked = "replaces the poll object inside of CPython's class by a mock, and there is none here; " +
	"the same is tested in Go, as TestModifyRefusedByKernel"
