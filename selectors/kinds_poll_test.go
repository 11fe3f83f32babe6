//go:build aix || solaris

package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect/selectors"
)

var kinds = []kind{
	{
		name:    "select",
		create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewSelectSelector() },
		ordered: true,
	},
	{
		name:    "poll",
		create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() },
		ordered: true,
	},
}
