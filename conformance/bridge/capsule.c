#include <unistd.h>

#include "_cgo_export.h"

// Of the Python that has loaded this library.
extern void *PyCapsule_GetPointer(void *capsule, const char *name) __attribute__((weak));

static pid_t process; // and not a fork of it, where Go cannot run

__attribute__((constructor)) static void loaded(void) { process = getpid(); }

// release_capsule is the destructor of a capsule that has a handle.
void release_capsule(void *capsule)
{
	if (getpid() == process)
		Release((uintptr_t)PyCapsule_GetPointer(capsule, NULL));
}
