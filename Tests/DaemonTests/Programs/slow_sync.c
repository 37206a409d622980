// SPDX-License-Identifier: Apache-2.0
//
// A disk that is busy, for LD_PRELOAD: clang -shared -fPIC. Each sync takes 100 ms, and does nothing else.

#include <time.h>

static int wait_a_while(void) {
    struct timespec time = {0, 100000000};
    return nanosleep(&time, 0);
}

int fsync(int file) { return wait_a_while(); }

int fdatasync(int file) { return wait_a_while(); }
