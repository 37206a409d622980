// SPDX-License-Identifier: Apache-2.0
//
// Writes rows into `events(id, at, payload)` of a WAL database, as an application would: a transaction at a time. `at`
// is the moment before the first row of its transaction is inserted, so that what a client finds as latency includes
// the insert and the commit.
//
//     writer --database FILE --rows N [--batch ROWS] [--rate TRANSACTIONS] [--payload BYTES]
//
// Rate 0 is as fast as possible. Prints the newest id and the worst delay of a transaction behind its time in
// microseconds.

#define _GNU_SOURCE
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared.h"

static sqlite3 *database;

static void run(const char *sql) {
    if (sqlite3_exec(database, sql, NULL, NULL, NULL)) fail("%s: %s", sql, sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL)) fail("%s: %s", sql, sqlite3_errmsg(database));
    return statement;
}

static void step(sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) fail("%s: %s", sqlite3_sql(statement), sqlite3_errmsg(database));
    sqlite3_reset(statement);
}

int main(int argc, char **argv) {
    const char *path = option(argc, argv, "--database", NULL);
    int64_t rows = (int64_t)number_option(argc, argv, "--rows", 0);
    int64_t batch = (int64_t)number_option(argc, argv, "--batch", 1);
    double rate = number_option(argc, argv, "--rate", 0);
    int length = (int)number_option(argc, argv, "--payload", 100);
    if (!path || batch < 1 || length < 0) fail("--database, --batch and --payload; see the head of writer/main.c");
    if (sqlite3_open(path, &database)) fail("%s: %s", path, sqlite3_errmsg(database));
    sqlite3_busy_timeout(database, 10000);
    run("PRAGMA journal_mode = wal");
    run("PRAGMA synchronous = normal");
    run("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, payload TEXT)");
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    sqlite3_stmt *insert = prepare("INSERT INTO events (at, payload) VALUES (?, ?)");
    char *payload = malloc((size_t)length + 1);
    memset(payload, 'x', (size_t)length);
    sqlite3_bind_text(insert, 2, payload, length, SQLITE_STATIC);

    int64_t start = monotonic_ns(), worst = 0;
    for (int64_t written = 0, transactions = 0; written < rows; transactions++) {
        if (rate > 0) {
            int64_t due = start + (int64_t)((double)transactions * 1e9 / rate);
            struct timespec moment = {due / 1000000000, due % 1000000000};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
            if (monotonic_ns() - due > worst) worst = monotonic_ns() - due;
        }
        int64_t at = unix_us();
        step(begin);
        for (int64_t i = 0; i < batch && written < rows; i++, written++) {
            sqlite3_bind_int64(insert, 1, at);
            step(insert);
        }
        step(commit);
    }
    printf("%" PRId64 " %" PRId64 "\n", (int64_t)sqlite3_last_insert_rowid(database), worst / 1000);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(insert);
    sqlite3_close(database);
    return 0;
}
