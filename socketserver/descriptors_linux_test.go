package socketserver_test

import (
	"log"
	"os"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
)

// A server that cannot accept pauses, which Shutdown ends.
func TestAcceptFails(t *testing.T) {
	testkit.NoLeaks(t)
	server := threadingTCP.start(t, newUpper)
	threadingTCP.connect(t, server)
	complaints := make(complaints, 10)
	log.SetOutput(complaints)
	defer log.SetOutput(os.Stderr)
	testkit.NoMoreFds(t, 10)
	shutdown := serve(t, server)
	if complaint := <-complaints; !strings.HasSuffix(complaint, ": too many open files; next try in 1s\n") {
		t.Errorf("the server complains %q", complaint)
	}
	shutdown()
}

// complaints are what is logged.
type complaints chan string

func (c complaints) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}
