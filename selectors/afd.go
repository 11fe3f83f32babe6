//go:build windows

package selectors

import (
	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// AfdSelector waits for sockets with a completion port and \Device\Afd, the driver that select asks too. Python has no counterpart. A
// Select costs what is ready and what was reported last, however many sockets are registered.
//
// It takes sockets only: the error of Register for anything else is windows.WSAENOTSOCK. A non-blocking connect that has failed makes its
// socket available for writing, as on other systems.
//
// An object that is closed while registered is never reported again, and stays registered until it is unregistered. But if a duplicate
// of its socket is open, and another socket gets its number before it is unregistered, events of that other one may be reported.
type AfdSelector struct {
	base
	afd afdSet
}

// NewAfdSelector returns an empty selector. The error is an errno, like windows.ERROR_NO_SYSTEM_RESOURCES.
func NewAfdSelector() (*AfdSelector, error) {
	afd, err := wait.NewAfd()
	if err != nil {
		return nil, opError("selectors.AfdSelector", -1, err)
	}
	s := &AfdSelector{afd: afdSet{afd: afd}}
	s.base = base{&afd.Waits, &s.afd}
	return s, nil
}

// An afdSet implements keySet.
type afdSet struct {
	table
	afd *wait.Afd
}

func (a *afdSet) add(key *SelectorKey) error {
	err := a.afd.Add(key.Fd, pollEvents(key.Events))
	if err == nil {
		a.insert(key)
	}
	return err
}

func (a *afdSet) modify(key *SelectorKey) error {
	err := a.afd.Modify(key.Fd, pollEvents(key.Events))
	if err == nil {
		a.replace(key)
	}
	return err
}

func (a *afdSet) remove(fd int) {
	a.afd.Remove(fd)
	a.delete(fd)
}

func (a *afdSet) report(dst []Ready, room, n int, _ bool) ([]Ready, error) {
	if dst == nil {
		dst = make([]Ready, 0, n)
	}
	a.afd.Report(room, func(fd int, events uint16) {
		dst = append(dst, Ready{a.find(fd), readyEvents(uint32(events), sys.In, sys.Out)})
	})
	return dst, nil
}

func (a *afdSet) close() error {
	a.table = table{}
	return a.afd.Release()
}
