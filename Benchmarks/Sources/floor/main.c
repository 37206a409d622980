// SPDX-License-Identifier: Apache-2.0
//
// The floor: the least that one thread can do to serve event streams. No table, no parser beyond the request line; an
// event is rendered once and handed to send() for every client. What it costs is what the kernel costs, so a ratio to
// it says much the same on every machine.
//
//     floor --port P
//
//     GET /events                             what is published from now on
//     GET /replay?to=N                        events Last-Event-ID + 1 … N, rendered a page at a time
//     POST /publish?rate=R&events=N&batch=B   N events, B in one send() to each client, R sends a second

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

// What rowtail reads and sends at once, so that both make as many calls.
enum { PAGE = 256 * 1024, PAYLOAD = 100 };

struct bytes {
    char *start;
    size_t length, room;
};

enum kind { ABSENT, ASKING, LIVE, REPLAY };

// By descriptor. An idle stream costs this and nothing else.
struct client {
    uint8_t kind, blocked;
    int slot;             // in `live`
    size_t position;      // in the log, or in the page
    int64_t next, last;   // replay: events still to render
    struct bytes *page;   // replay only
};

static struct client *clients;
static int client_room;
static int *live, live_count, live_room;
// Every event that was published while clients were there. Bounded by what /publish was asked for.
static struct bytes published;
static int poller;
static struct { int64_t left, sent, start; double rate; int batch; } publication;
static int64_t newest;

static void append(struct bytes *bytes, const char *start, size_t length) {
    if (bytes->length + length > bytes->room) {
        bytes->room = (bytes->length + length) * 2;
        bytes->start = realloc(bytes->start, bytes->room);
        if (!bytes->start) fail("out of memory");
    }
    memcpy(bytes->start + bytes->length, start, length);
    bytes->length += length;
}

static void render(struct bytes *bytes, int64_t id, int64_t at) {
    static char payload[PAYLOAD + 1];
    if (!payload[0]) memset(payload, 'x', PAYLOAD);
    char event[320];
    int length = snprintf(event, sizeof event, "id: %" PRId64 "\ndata: {\"id\":%" PRId64 ",\"at\":%" PRId64
                          ",\"payload\":\"%s\"}\n\n", id, id, at, payload);
    append(bytes, event, (size_t)length);
}

// Events as one HTTP chunk.
static void append_chunk(struct bytes *to, const struct bytes *events) {
    char size[32];
    append(to, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", events->length));
    append(to, events->start, events->length);
    append(to, "\r\n", 2);
}

static void watch(int descriptor, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(poller, operation, descriptor, &event)) fail("epoll_ctl: %s", strerror(errno));
}

static void drop(int descriptor) {
    struct client *client = &clients[descriptor];
    if (client->kind == LIVE) {
        live[client->slot] = live[--live_count];
        clients[live[client->slot]].slot = client->slot;
    }
    if (client->page) free(client->page->start);
    free(client->page);
    *client = (struct client){0};
    close(descriptor);
}

// Sends from `position` on; false when the client is gone.
static bool send_rest(int descriptor, struct client *client, const struct bytes *bytes) {
    while (client->position < bytes->length) {
        size_t left = bytes->length - client->position;
        ssize_t sent = send(descriptor, bytes->start + client->position, left, MSG_NOSIGNAL);
        if (sent > 0) {
            client->position += (size_t)sent;
        } else if (errno == EAGAIN) {
            if (!client->blocked) watch(descriptor, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            client->blocked = 1;
            return true;
        } else if (errno != EINTR) {
            drop(descriptor);
            return false;
        }
    }
    return true;
}

static void pump(int descriptor) {
    struct client *client = &clients[descriptor];
    if (client->kind == LIVE) {
        if (!send_rest(descriptor, client, &published)) return;
        if (client->position < published.length) return;
    } else {
        static struct bytes events;
        for (;;) {
            if (!send_rest(descriptor, client, client->page)) return;
            if (client->position < client->page->length) return;
            if (client->next > client->last) break;
            int64_t at = unix_us();
            for (events.length = 0; events.length < PAGE && client->next <= client->last; client->next++)
                render(&events, client->next, at);
            client->page->length = client->position = 0;
            append_chunk(client->page, &events);
        }
    }
    if (client->blocked) watch(descriptor, EPOLLIN, EPOLL_CTL_MOD);
    client->blocked = 0;
}

static double parameter(const char *query, const char *name, double fallback) {
    const char *found = strstr(query, name);
    return found && found[strlen(name)] == '=' ? atof(found + strlen(name) + 1) : fallback;
}

static void answer(int descriptor, char *request) {
    struct client *client = &clients[descriptor];
    char *line_end = strchr(request, '\r');
    char *last_id = strcasestr(request, "\r\nlast-event-id:");
    if (!line_end) {
        drop(descriptor);
        return;
    }
    *line_end = 0;
    // Head and first frame go out at once, as every server here does it.
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n1b\r\nretry: 3000\n: floor\nid: 0\n\n\r\n";
    bool replay = !strncmp(request, "GET /replay?", 12);
    if (replay || !strncmp(request, "GET /events", 11)) {
        if (send(descriptor, head, sizeof head - 1, MSG_NOSIGNAL) != sizeof head - 1) {
            drop(descriptor);
            return;
        }
        if (replay) {
            client->kind = REPLAY;
            client->next = (last_id ? atoll(last_id + 16) : 0) + 1;
            client->last = (int64_t)parameter(request, "to", 0);
            client->page = calloc(1, sizeof *client->page);
            pump(descriptor);
        } else {
            if (live_count == live_room) live = realloc(live, sizeof *live * (size_t)(live_room = live_room * 2 + 64));
            client->kind = LIVE;
            client->position = published.length;
            client->slot = live_count;
            live[live_count++] = descriptor;
        }
        return;
    }
    if (!strncmp(request, "POST /publish?", 14)) {
        publication.left = (int64_t)parameter(request, "events", 0);
        publication.rate = parameter(request, "rate", 10);
        publication.batch = (int)parameter(request, "batch", 1);
        publication.sent = 0;
        publication.start = monotonic_ns();
    }
    static const char ok[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    send(descriptor, ok, sizeof ok - 1, MSG_NOSIGNAL);
    drop(descriptor);
}

// Publishes what is due; returns the nanoseconds until the next time.
static int64_t publish(void) {
    if (!publication.left) return 1000000000;
    int64_t now = monotonic_ns();
    int64_t due = publication.start + (int64_t)((double)publication.sent * 1e9 / publication.rate);
    if (due > now) return due - now;
    static struct bytes events;
    events.length = 0;
    // The moment at which a reader of a table would find the row: what a client's latency counts from.
    int64_t at = unix_us();
    for (int i = 0; i < publication.batch && publication.left; i++, publication.left--) render(&events, ++newest, at);
    publication.sent++;
    append_chunk(&published, &events);
    for (int i = live_count - 1; i >= 0; i--)
        if (!clients[live[i]].blocked) pump(live[i]);
    return 0;
}

static void accept_all(int listener) {
    // A bound, so that clients that are connected get their turn.
    for (int i = 0; i < 256; i++) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (descriptor < 0) return;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (descriptor >= client_room) {
            int room = descriptor * 2 + 64;
            clients = realloc(clients, sizeof *clients * (size_t)room);
            if (!clients) fail("out of memory");
            memset(clients + client_room, 0, sizeof *clients * (size_t)(room - client_room));
            client_room = room;
        }
        clients[descriptor].kind = ASKING;
        watch(descriptor, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void serve(int descriptor, uint32_t events) {
    if (clients[descriptor].kind == ABSENT) return;
    if (events & ~(uint32_t)EPOLLOUT) {
        // A request comes in one piece or not at all: nothing is kept for those that are half there.
        char request[2048];
        ssize_t received = recv(descriptor, request, sizeof request - 1, 0);
        if (received < 0 && errno == EAGAIN) return;
        if (received <= 0) {
            drop(descriptor);
            return;
        }
        request[received] = 0;
        if (clients[descriptor].kind == ASKING) {
            answer(descriptor, request);
            return;
        }
    }
    if (events & EPOLLOUT) pump(descriptor);
}

static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = signal; }

int main(int argc, char **argv) {
    int port = (int)number_option(argc, argv, "--port", 0), on = 1;
    raise_descriptor_limit();
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        fail("port %d: %s", port, strerror(errno));
    poller = epoll_create1(EPOLL_CLOEXEC);
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
    static struct epoll_event events[512];
    while (!stopped) {
        int64_t wait = publish();
        struct timespec timeout = {wait / 1000000000, wait % 1000000000};
        int count = epoll_pwait2(poller, events, 512, &timeout, NULL);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) accept_all(listener);
            else serve(events[i].data.fd, events[i].events);
        }
    }
    return 0;
}
