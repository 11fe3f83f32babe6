//go:build unix

package webtest

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// specialFiles makes files in a root that are not to be served, and one that is: inside.
func specialFiles(root string) error {
	return errors.Join(
		os.Symlink("hello.txt", filepath.Join(root, "inside")),
		os.Symlink("../secret", filepath.Join(root, "out")),
		os.Symlink("..", filepath.Join(root, "up")),
		os.Symlink(filepath.Dir(root), filepath.Join(root, "absolute")),
		os.Symlink("loop", filepath.Join(root, "loop")),
		unix.Mkfifo(filepath.Join(root, "fifo"), 0o666),
		os.WriteFile(filepath.Join(root, "..."), []byte(secret), 0o666),
		os.WriteFile(filepath.Join(root, "*"), []byte(secret), 0o666),
	)
}
