//go:build unix || windows

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
)

const shellHelp = `put NAME...  upload files
get NAME...  download files
ls           list the files that put takes
help         say this
quit         end, as exit and the end of the input do

A NAME with blanks stands in quotation marks: "two words".
`

var (
	aWord   = regexp.MustCompile(`"([^"]*)"|(\S+)`)
	errQuit = errors.New("quit")
)

// shell is the command: it does what standard input says, line by line. An error is no reason to end.
func shell(ctx context.Context, c *client, upload, download string) error {
	root, err := os.OpenRoot(download)
	if err != nil {
		return err
	}
	defer root.Close()
	prompt := func() {}
	if isTerminal(os.Stdin) {
		prompt = func() { fmt.Print(">>> ") }
		defer fmt.Println() // what follows stands behind no prompt
	}
	lines, ended := make(chan string), make(chan error)
	go func() {
		r := bufio.NewReader(os.Stdin)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				lines <- line
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	for ctx.Err() == nil {
		prompt()
		select {
		case line := <-lines:
			err := c.command(ctx, splitWords(line), upload, root)
			if err == errQuit {
				return nil
			}
			if err != nil {
				log.Print(err)
			}
		case err := <-ended:
			if err == io.EOF {
				return nil
			}
			return err
		case <-ctx.Done():
		}
	}
	return nil
}

// splitWords returns the words of a line. One with blanks stands in quotation marks.
func splitWords(line string) (words []string) {
	for _, match := range aWord.FindAllStringSubmatch(line, -1) {
		words = append(words, match[1]+match[2])
	}
	return words
}

// command does what a line of the shell says.
func (c *client) command(ctx context.Context, words []string, upload string, download *os.Root) error {
	if len(words) == 0 {
		return nil
	}
	command, names := words[0], words[1:]
	switch command {
	case "put":
		return each(ctx, names, func(ctx context.Context, name string) error {
			if !validName(name) {
				return fmt.Errorf("%q is no name of a file in %s", name, upload)
			}
			return c.put(ctx, filepath.Join(upload, name))
		})
	case "get":
		return each(ctx, names, func(ctx context.Context, name string) error { return c.get(ctx, download, name) })
	case "ls":
		return list(upload)
	case "help":
		fmt.Print(shellHelp)
		return nil
	case "quit", "exit":
		return errQuit
	}
	return fmt.Errorf("unknown command %q; there is help", command)
}

// list prints the files of a directory that can be uploaded.
func list(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if info, err := os.Stat(filepath.Join(dir, entry.Name())); err == nil && info.Mode().IsRegular() && validName(entry.Name()) {
			fmt.Printf("%12d %s\n", info.Size(), entry.Name())
		}
	}
	return err
}
