//go:build !unix && !windows

package selectors_test

import (
	"errors"
	"testing"

	"github.com/pyselect/pyselect/selectors"
)

func TestUnsupported(t *testing.T) {
	if _, err := selectors.NewSelectSelector(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error of NewSelectSelector is %v, want errors.ErrUnsupported", err)
	}
	if _, err := selectors.NewDefaultSelector(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error of NewDefaultSelector is %v, want errors.ErrUnsupported", err)
	}
}
