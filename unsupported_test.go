//go:build !unix && !windows

package pyselect_test

import (
	"errors"
	"testing"

	"github.com/pyselect/pyselect"
)

func TestUnsupported(t *testing.T) {
	if _, _, _, err := pyselect.Select([]int{0}, nil, nil, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error of Select is %v, want errors.ErrUnsupported", err)
	}
}
