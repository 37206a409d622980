// SPDX-License-Identifier: Apache-2.0
//
// A disk that hangs, for LD_PRELOAD: clang -shared -fPIC. Reads at an offset, which is how SQLite reads, don't return while
// the file that HOLD_READS names is there.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

ssize_t pread64(int file, void *buffer, size_t count, off_t offset) {
    ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");
    const char *name = getenv("HOLD_READS");
    while (name && access(name, F_OK) == 0) nanosleep(&(struct timespec){0, 10000000}, 0);
    return next(file, buffer, count, offset);
}
