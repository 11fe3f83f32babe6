//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// freshClients let a server open the few descriptors of its own that it opens when it needs them first.
const freshClients = 40

// A soak is one service at work.
type soak struct {
	*service
	dir  string // of the programs
	seed uint64

	server   *server
	workers  int
	clients  [nKinds]atomic.Int64
	received atomic.Int64 // bytes that were right
	time     time.Duration

	fresh, first, end usage // of a fresh server, after the first part of the load, and in the end
	err               error
}

// run loads a server for some time. Its error says everything that is wrong.
func (s *soak) run(d time.Duration) error {
	var err error
	if s.fresh, err = s.runFresh(); err != nil {
		return fmt.Errorf("fresh: %w", err)
	}
	if err := s.start(); err != nil {
		return err
	}
	defer s.server.kill()
	begin := time.Now()
	part := min(d/10, time.Minute)
	if s.first, err = s.load(part); err == nil {
		s.end, err = s.load(d - part)
	}
	s.time = time.Since(begin)
	if err == nil {
		s.end.goroutines, err = s.server.quit()
	}
	if err == nil && s.check != nil {
		err = s.check()
	}
	grown, shown := len(s.end.goroutines)-len(s.fresh.goroutines), max(0, len(s.end.goroutines)-1)
	return errors.Join(err,
		failure(s.clients[good].Load() == 0, "it has had no good client"),
		failure(err == nil && len(s.end.goroutines) == 0, "nobody knows its goroutines"),
		failure(grown > 0, "it has %d goroutines more than a fresh one; the last one: %s", grown, s.end.goroutines[shown:]),
		failure(s.end.threads > s.first.threads+moreThreads, "%d threads have become %d", s.first.threads, s.end.threads),
		failure(s.end.resident > s.first.resident*1.2+moreResident, "%.1f MiB have become %.1f", s.first.resident, s.end.resident),
		s.server.complaints())
}

func failure(is bool, format string, args ...any) error {
	if !is {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (s *soak) start() (err error) {
	command := strings.Fields(s.command)
	s.server, err = start(filepath.Join(s.dir, command[0]), append(command[1:], s.args...)...)
	return err
}

// runFresh returns what a server needs that has served a few clients, one after another.
func (s *soak) runFresh() (u usage, err error) {
	if err := s.start(); err != nil {
		return u, err
	}
	defer s.server.kill()
	c := s.newClient()
	for range freshClients {
		if err := c.beGood(); err != nil {
			return u, errors.Join(err, s.server.complaints())
		}
	}
	if u, err = s.server.settle(nil); err == nil {
		u.goroutines, err = s.server.quit()
	}
	return u, err
}

// load lets clients of all kinds come and go for some time, and returns what the server needs when they have left.
func (s *soak) load(d time.Duration) (u usage, err error) {
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	var first sync.Once // one may fail when the time is over
	var wg sync.WaitGroup
	for k, kind := range kinds {
		for range kind.workers {
			c := s.newClient()
			wg.Go(func() {
				for sleep(ctx, c.upTo(kind.pause)) {
					if failed := kind.be(c); failed != nil {
						first.Do(func() { err = fmt.Errorf("a %s client: %w", kind.name, failed) })
						stop()
						return
					}
					s.clients[k].Add(1)
				}
			})
		}
	}
	wg.Wait()
	if err != nil {
		return u, err
	}
	return s.server.settle(&s.fresh)
}

// sleep returns false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
