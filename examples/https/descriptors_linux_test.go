package main

import (
	"testing"

	"github.com/pyselect/pyselect/examples/internal/web/webtest"
)

func TestOutOfDescriptors(t *testing.T) { webtest.OutOfDescriptors(t, https) }
