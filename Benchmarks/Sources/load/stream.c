// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared.h"

enum { HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

void stream_begin(struct stream *stream) {
    char *kept = stream->kept;
    uint32_t room = stream->kept_room;
    int64_t retry = stream->retry_ms;
    *stream = (struct stream){.kept = kept, .kept_room = room, .retry_ms = retry};
    stream->event_id = stream->row_id = stream->at = -1;
}

void stream_free(struct stream *stream) {
    free(stream->kept);
    stream->kept = NULL;
}

size_t stream_restore(struct stream *stream, char *buffer) {
    memcpy(buffer, stream->kept, stream->kept_length);
    return stream->kept_length;
}

static void keep(struct stream *stream, const char *start, size_t length) {
    if (length > stream->kept_room) {
        stream->kept_room = (uint32_t)length * 2;
        stream->kept = realloc(stream->kept, stream->kept_room);
        if (!stream->kept) fail("out of memory");
    }
    if (length) memcpy(stream->kept, start, length);
    stream->kept_length = (uint32_t)length;
}

// A number that ends before anything but a digit; -1 when there is none.
static int64_t number(const char *start, const char *end) {
    int64_t value = 0;
    const char *next = start;
    for (; next < end && *next >= '0' && *next <= '9'; next++) value = value * 10 + (*next - '0');
    return next == start ? -1 : value;
}

// Takes the payload out of chunks, to where the first byte stands; returns its length, or -1.
static ssize_t unchunk(struct stream *stream, char *start, size_t length, int *ended) {
    char *next = start, *end = start + length, *out = start;
    while (next < end) {
        switch (stream->state) {
        case CHUNK_SIZE:
            if (*next == '\n') {
                stream->state = stream->chunk_left ? CHUNK_DATA : TRAILER;
            } else if (*next != '\r') {
                int letter = *next | 32, digit = -1;
                if (*next >= '0' && *next <= '9') digit = *next - '0';
                else if (letter >= 'a' && letter <= 'f') digit = letter - 'a' + 10;
                if (digit < 0 || stream->chunk_left >> 40) return -1;
                stream->chunk_left = stream->chunk_left << 4 | (unsigned)digit;
            }
            next++;
            break;
        case CHUNK_DATA: {
            size_t taken = (size_t)(end - next);
            if (taken > stream->chunk_left) taken = (size_t)stream->chunk_left;
            if (out != next) memmove(out, next, taken);
            out += taken;
            next += taken;
            stream->chunk_left -= taken;
            if (!stream->chunk_left) stream->state = CHUNK_END;
            break;
        }
        case CHUNK_END:
            if (*next == '\n') stream->state = CHUNK_SIZE;
            else if (*next != '\r') return -1;
            next++;
            break;
        case TRAILER:
            if (*next++ == '\n') *ended = 1;
            break;
        }
    }
    return out - start;
}

static void read_data(struct stream *stream, const char *start, const char *end) {
    stream->has_data = 1;
    // Both stand first in our rows, so a short look suffices.
    const char *near = end - start > 120 ? start + 120 : end;
    const char *id = memmem(start, (size_t)(near - start), "\"id\":", 5);
    const char *at = memmem(start, (size_t)(near - start), "\"at\":", 5);
    if (id) stream->row_id = number(id + 5, end);
    if (at) stream->at = number(at + 5, end);
}

static void read_line(struct stream *stream, const char *start, const char *end, event_handler *handler,
                      void *context) {
    if (end > start && end[-1] == '\r') end--;
    size_t length = (size_t)(end - start);
    if (!length) {
        stream->framed = 1;
        if (stream->has_data) {
            struct event event = {stream->event_id, stream->row_id, stream->at, stream->control};
            handler(context, &event);
        }
        stream->has_data = stream->control = 0;
        stream->event_id = stream->row_id = stream->at = -1;
    } else if (length > 5 && !memcmp(start, "data:", 5)) {
        read_data(stream, start, end);
    } else if (length > 3 && !memcmp(start, "id:", 3)) {
        const char *id = start + 3 + (start[3] == ' ');
        stream->event_id = number(id, end);
        // nchan's ids are "time:tag": the number that they begin with is no row's.
        if (memchr(id, ':', (size_t)(end - id))) stream->event_id = -1;
    } else if (length > 6 && !memcmp(start, "event:", 6)) {
        stream->control = 1;
    } else if (length > 6 && !memcmp(start, "retry:", 6)) {
        stream->retry_ms = number(start + 6 + (start[6] == ' '), end);
    }
}

// Reads whole lines and keeps the rest.
static void read_lines(struct stream *stream, char *start, char *end, char *new, event_handler *handler,
                       void *context) {
    char *search = new;
    for (char *line_end; (line_end = memchr(search, '\n', (size_t)(end - search))); search = start = line_end + 1)
        read_line(stream, start, line_end, handler, context);
    keep(stream, start, (size_t)(end - start));
}

enum outcome stream_read(struct stream *stream, char *buffer, size_t kept, size_t length, event_handler *handler,
                         void *context) {
    char *new = buffer + kept, *end = new + length, *start = buffer;
    if (stream->state == HEAD) {
        char *blank = memmem(buffer, kept + length, "\r\n\r\n", 4);
        if (!blank) {
            keep(stream, buffer, kept + length);
            return kept + length > 16384 ? MALFORMED : GOES_ON;
        }
        *blank = 0;
        if (strncmp(buffer, "HTTP/1.", 7) || strncmp(buffer + 8, " 200", 4)) return REFUSED;
        stream->chunked = strcasestr(buffer, "\r\ntransfer-encoding: chunked") != NULL;
        stream->state = stream->chunked ? CHUNK_SIZE : BODY;
        start = new = blank + 4;
    }
    int ended = 0;
    if (stream->chunked) {
        ssize_t payload = unchunk(stream, new, (size_t)(end - new), &ended);
        if (payload < 0) return MALFORMED;
        end = new + payload;
    }
    read_lines(stream, start, end, new, handler, context);
    if (stream->kept_length > 1 << 20) return MALFORMED;
    return ended ? ENDED : GOES_ON;
}
