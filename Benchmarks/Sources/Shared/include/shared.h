// SPDX-License-Identifier: Apache-2.0
//
// What the benchmark's programs share: clocks, options, a histogram.

#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Monotonic nanoseconds, for intervals.
int64_t monotonic_ns(void);
/// Microseconds since 1970: what events carry, as their readers are other processes.
int64_t unix_us(void);
/// User and system time of this process so far, in seconds.
double processor_s(void);

/// Says what is wrong, after the program's name, and exits with 2.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// The value of `--name VALUE` among the arguments, else `fallback`. `--name` alone fails.
const char *option(int argc, char **argv, const char *name, const char *fallback);
/// The same for a number; anything else fails.
double number_option(int argc, char **argv, const char *name, double fallback);
/// Whether `--name` is among the arguments.
bool flag(int argc, char **argv, const char *name);

/// Lets the process have as many descriptors as it may.
void raise_descriptor_limit(void);

/// Counts microseconds with 128 buckets per power of two: a quantile is at most 0.8 % too high.
struct histogram {
    uint64_t count, greatest;
    uint64_t buckets[36 * 128];
};

void histogram_add(struct histogram *histogram, int64_t value);
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
