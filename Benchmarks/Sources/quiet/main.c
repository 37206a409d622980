// SPDX-License-Identifier: Apache-2.0
//
// The floor of polling: every file is looked at by stat() and PRAGMA data_version, and nothing else is done.
//
//     quiet MILLISECONDS FILE…

#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "shared.h"

int main(int argc, char **argv) {
    if (argc < 3 || atoi(argv[1]) < 1) fail("usage: quiet MILLISECONDS FILE…");
    int count = argc - 2;
    char **paths = argv + 2;
    sqlite3_stmt **questions = calloc((size_t)count, sizeof(sqlite3_stmt *));
    for (int i = 0; i < count; i++) {
        sqlite3 *database;
        if (sqlite3_open_v2(paths[i], &database, SQLITE_OPEN_READONLY, NULL) ||
            sqlite3_prepare_v2(database, "PRAGMA data_version", -1, &questions[i], NULL))
            fail("%s: %s", paths[i], sqlite3_errmsg(database));
    }
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (;;) {
        due.tv_nsec += (long)atoi(argv[1]) % 1000 * 1000000;
        due.tv_sec += atoi(argv[1]) / 1000 + due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        for (int i = 0; i < count; i++) {
            struct stat file;
            if (stat(paths[i], &file)) fail("%s is gone", paths[i]);
            if (sqlite3_step(questions[i]) != SQLITE_ROW) fail("%s can't be read", paths[i]);
            sqlite3_reset(questions[i]);
        }
    }
}
