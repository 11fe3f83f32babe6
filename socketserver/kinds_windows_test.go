package socketserver_test

import (
	"testing"

	"github.com/pyselect/pyselect/socket"
)

var unixKinds []kind

func bindClient(*testing.T, *socket.Socket) {}
