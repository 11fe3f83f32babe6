package ssl_test

import (
	"testing"

	"github.com/pyselect/pyselect/ssl"
)

func limit(testing.TB, *ssl.Socket) {}
