// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "shared.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t unix_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

double processor_s(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

bool flag(int argc, char **argv, const char *name) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) return true;
    return false;
}

const char *option(int argc, char **argv, const char *name, const char *fallback) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) {
            if (i + 1 == argc) fail("%s needs a value", name);
            return argv[i + 1];
        }
    return fallback;
}

double number_option(int argc, char **argv, const char *name, double fallback) {
    const char *text = option(argc, argv, name, NULL);
    if (!text) return fallback;
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end) fail("%s: '%s' is no number", name, text);
    return number;
}

void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Values below 128 have a bucket each; above, the seven bits after the leading one choose it.
enum { SUB_BITS = 7, SUB = 1 << SUB_BITS };

static unsigned bucket_of(uint64_t value) {
    if (value < SUB) return (unsigned)value;
    int exponent = 63 - __builtin_clzll(value);
    return (unsigned)(((exponent - SUB_BITS + 1) << SUB_BITS) + (int)((value >> (exponent - SUB_BITS)) & (SUB - 1)));
}

static uint64_t upper_bound(unsigned bucket) {
    if (bucket < SUB) return bucket;
    int exponent = (int)(bucket >> SUB_BITS) + SUB_BITS - 1;
    uint64_t width = 1ull << (exponent - SUB_BITS);
    return (1ull << exponent) + (uint64_t)(bucket & (SUB - 1)) * width + width - 1;
}

void histogram_add(struct histogram *histogram, int64_t value) {
    uint64_t counted = value < 0 ? 0 : (uint64_t)value;
    if (counted >= 1ull << 41) counted = (1ull << 41) - 1;
    if (counted > histogram->greatest) histogram->greatest = counted;
    histogram->count++;
    histogram->buckets[bucket_of(counted)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    double wanted = quantile * (double)histogram->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < sizeof histogram->buckets / sizeof *histogram->buckets; i++) {
        seen += histogram->buckets[i];
        if (!seen || (double)seen < wanted) continue;
        return upper_bound(i) < histogram->greatest ? upper_bound(i) : histogram->greatest;
    }
    return histogram->greatest;
}
