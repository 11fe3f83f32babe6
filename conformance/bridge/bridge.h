#pragma once

#include <stdint.h>

// What went wrong, for Python to raise it. The kinds are those of errors.go.
typedef struct {
	int kind;
	int err;
	char text[248];
} failure;

// A Python object: an int crosses as itself, anything else by its address.
typedef struct {
	int kind;
	int64_t fd;
	uintptr_t addr;
} object;

enum { NUMBER, WAITABLE, OPAQUE }; // an int, an object with a fileno method, another one

// What Go returns is allocated with malloc, and Python frees it.
typedef struct {
	object *items;
	int64_t len;
} object_list;

typedef struct {
	int fd;
	uint32_t events;
} event;

typedef struct {
	event *items;
	int64_t len;
} event_list;

// A SelectorKey, and what it is ready for.
typedef struct {
	object fileobj;
	int fd;
	int events;
	uintptr_t data;
	int ready;
} selector_key;

typedef struct {
	selector_key *items;
	int64_t len;
} key_list;

// Calls obj.fileno() and returns 0, or 1 if that has raised an exception.
typedef int (*fileno_function)(uintptr_t obj, int64_t *fd);

// What the sni_callback of a Python object has answered: an alert, or zero and the context to go on with, or none.
typedef struct {
	int alert;
	uintptr_t context;
} sni_reply;

typedef void (*sni_function)(uintptr_t obj, const char *name, sni_reply *reply);

// An address of a socket: host:port, a path or, with its family, the kernel's bytes.
typedef struct {
	int kind;
	int family;
	int len;
	char data[512];
} address;

enum { NONE, INET, UNIX, RAW }; // kinds of an address

typedef struct {
	char *base;
	int64_t len;
} buffer;

// An item of ancillary data. What Go returns has data that Python frees.
typedef struct {
	int level;
	int type;
	buffer data;
} control_message;

typedef struct {
	control_message *items;
	int64_t len;
} control_list;
