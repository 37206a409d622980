// SPDX-License-Identifier: Apache-2.0
//
// One client's response, as it comes in pieces: HTTP head, chunks, events. Nothing is kept but an unfinished line.

#pragma once

#include <stddef.h>
#include <stdint.h>

struct stream {
    uint8_t state, chunked, control, has_data, framed;
    uint64_t chunk_left;
    int64_t event_id, row_id, at;   // of the event that is being read; -1 is none
    int64_t retry_ms;
    char *kept;                     // an unfinished line
    uint32_t kept_length, kept_room;
};

struct event {
    int64_t event_id;   // of the `id:` field, -1 when it is no number
    int64_t row_id;     // "id" in the data
    int64_t at;         // "at" in the data
    int control;        // has a name of its own: no row
};

enum outcome { GOES_ON, ENDED, REFUSED, MALFORMED };

/// Called for every event with data.
typedef void event_handler(void *context, const struct event *event);

void stream_begin(struct stream *stream);
void stream_free(struct stream *stream);

/// Copies what is kept to the start of `buffer`; what comes next belongs behind it.
size_t stream_restore(struct stream *stream, char *buffer);

/// Reads `length` new bytes behind `kept` restored ones. `framed` is set once the first frame has come.
enum outcome stream_read(struct stream *stream, char *buffer, size_t kept, size_t length, event_handler *handler,
                         void *context);
