//go:build aix || solaris

package selectors_test

var kinds = []kind{selectKind, pollKind}
