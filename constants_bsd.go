//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package pyselect

import "golang.org/x/sys/unix"

// PIPE_BUF is the number of bytes that can be written to a pipe without blocking when it is reported as writable.
const PIPE_BUF = 512

// Filters of a Kevent.
const (
	KQ_FILTER_READ   KqFilter = unix.EVFILT_READ   // readable; of a listener: connections to accept
	KQ_FILTER_WRITE  KqFilter = unix.EVFILT_WRITE  // writable
	KQ_FILTER_AIO    KqFilter = unix.EVFILT_AIO    // asynchronous I/O
	KQ_FILTER_VNODE  KqFilter = unix.EVFILT_VNODE  // changes of a file
	KQ_FILTER_PROC   KqFilter = unix.EVFILT_PROC   // what a process does
	KQ_FILTER_SIGNAL KqFilter = unix.EVFILT_SIGNAL // signals to this process
	KQ_FILTER_TIMER  KqFilter = unix.EVFILT_TIMER  // a timer
)

// Flags of a Kevent.
const (
	KQ_EV_ADD      KqFlags = unix.EV_ADD      // add the filter, or change it
	KQ_EV_DELETE   KqFlags = unix.EV_DELETE   // remove it
	KQ_EV_ENABLE   KqFlags = unix.EV_ENABLE   // report its events
	KQ_EV_DISABLE  KqFlags = unix.EV_DISABLE  // do not
	KQ_EV_ONESHOT  KqFlags = unix.EV_ONESHOT  // remove it after the first event
	KQ_EV_CLEAR    KqFlags = unix.EV_CLEAR    // report a change of state once
	KQ_EV_SYSFLAGS KqFlags = unix.EV_SYSFLAGS // reserved by the system
	KQ_EV_FLAG1    KqFlags = unix.EV_FLAG1    // of the filter
	KQ_EV_EOF      KqFlags = unix.EV_EOF      // the other end is closed
	KQ_EV_ERROR    KqFlags = unix.EV_ERROR    // Data is an errno
)

// Flags of the filters, for the field Fflags.
const (
	KQ_NOTE_LOWAT     uint32 = unix.NOTE_LOWAT                  // low-water mark in Data (READ, WRITE)
	KQ_NOTE_DELETE    uint32 = unix.NOTE_DELETE                 // the file was removed (VNODE)
	KQ_NOTE_WRITE     uint32 = unix.NOTE_WRITE                  // it was written to
	KQ_NOTE_EXTEND    uint32 = unix.NOTE_EXTEND                 // it became longer
	KQ_NOTE_ATTRIB    uint32 = unix.NOTE_ATTRIB                 // its attributes changed
	KQ_NOTE_LINK      uint32 = unix.NOTE_LINK                   // its link count changed
	KQ_NOTE_RENAME    uint32 = unix.NOTE_RENAME                 // it was renamed
	KQ_NOTE_REVOKE    uint32 = unix.NOTE_REVOKE                 // access to it was revoked
	KQ_NOTE_EXIT      uint32 = unix.NOTE_EXIT                   // the process has exited (PROC)
	KQ_NOTE_FORK      uint32 = unix.NOTE_FORK                   // it has forked
	KQ_NOTE_EXEC      uint32 = unix.NOTE_EXEC                   // it has executed a program
	KQ_NOTE_PCTRLMASK uint32 = unix.NOTE_PCTRLMASK & 0xffffffff // mask of the flags above
	KQ_NOTE_PDATAMASK uint32 = unix.NOTE_PDATAMASK              // mask of the process number
	KQ_NOTE_TRACK     uint32 = unix.NOTE_TRACK                  // follow its children
	KQ_NOTE_CHILD     uint32 = unix.NOTE_CHILD                  // an event of a child
	KQ_NOTE_TRACKERR  uint32 = unix.NOTE_TRACKERR               // a child could not be followed
)

type kqFilterName struct {
	filter KqFilter
	name   string
}

var kqFilterNames = append([]kqFilterName{
	{KQ_FILTER_READ, "KQ_FILTER_READ"},
	{KQ_FILTER_WRITE, "KQ_FILTER_WRITE"},
	{KQ_FILTER_AIO, "KQ_FILTER_AIO"},
	{KQ_FILTER_VNODE, "KQ_FILTER_VNODE"},
	{KQ_FILTER_PROC, "KQ_FILTER_PROC"},
	{KQ_FILTER_SIGNAL, "KQ_FILTER_SIGNAL"},
	{KQ_FILTER_TIMER, "KQ_FILTER_TIMER"},
}, kqUserFilterNames...)

var kqFlagNames = []bitName[KqFlags]{
	{KQ_EV_ADD, "KQ_EV_ADD"},
	{KQ_EV_DELETE, "KQ_EV_DELETE"},
	{KQ_EV_ENABLE, "KQ_EV_ENABLE"},
	{KQ_EV_DISABLE, "KQ_EV_DISABLE"},
	{KQ_EV_ONESHOT, "KQ_EV_ONESHOT"},
	{KQ_EV_CLEAR, "KQ_EV_CLEAR"},
	{KQ_EV_FLAG1, "KQ_EV_FLAG1"},
	{KQ_EV_EOF, "KQ_EV_EOF"},
	{KQ_EV_ERROR, "KQ_EV_ERROR"},
}
