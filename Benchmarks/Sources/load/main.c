// SPDX-License-Identifier: Apache-2.0
//
// The clients: one thread, one epoll, any number of event streams. Checks that every client gets every row once and in
// order, and takes the time from the row's "at" to the read that brought its last byte.
//
//     load --port P --path PATH --clients N
//         --after ID       the row that every client has seen; the next one must be ID + 1
//         --resume         say so to the server: Last-Event-ID
//         --until ID       done when every client that reads has got this row
//         --opening N      connections that are being opened at a time (256)
//         --head-opens     a stream is open once its response head is there, not its first frame
//         --stalled N      so many clients never read after that, with small buffers, as over a network
//         --reconnect      come back when cut, after the time that the server said
//         --max-time S     gives up (300)
//
// Prints "ready" when all are open, "done" when all are done or lost; then waits for its standard input to end, so that
// whoever measures the server can do so before the connections are closed. Then one JSON object.

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
#include <unistd.h>

#include "shared.h"
#include "stream.h"

enum { BUFFER = 256 * 1024, SOURCES = 200, INPUT = UINT32_MAX };
enum state { WAITING, CONNECTING, READING, OPEN, CLOSED };

struct client {
    struct stream stream;
    int64_t last;             // the newest row, -1 when none is known yet
    int64_t connected, due;   // when connect() was called; when to do so again
    int descriptor;
    uint8_t state, stalled, done, was_open;
};

static struct {
    const char *path;
    int port, count, opening, stalled;
    int64_t after, until;
    bool resume, head_opens, reconnect;
} options;

static struct {
    uint64_t opened, refused, cut, reconnects, malformed, events, controls, repeated, missing, mismatched, bytes, reads;
    int64_t start, all_open, done_at, first_event, last_event;
    double processor_first, processor_done;
} counted;

static struct histogram latency, connecting;
static struct client *clients;
static int poller, opening, open_count, done_count, closed_count, lost_count, readers;
static int64_t received_us, received_ns;
static char *buffer;
static volatile sig_atomic_t stopped;

static void stop(int signal) { stopped = signal; }

static void watch(struct client *client, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(client - clients)};
    epoll_ctl(poller, operation, client->descriptor, &event);
}

static void finish(struct client *client) {
    if (client->done || client->stalled) return;
    client->done = 1;
    if (++done_count < readers) return;
    counted.done_at = unix_us();
    counted.processor_done = processor_s();
}

static void on_event(void *context, const struct event *event) {
    struct client *client = context;
    if (event->control || event->row_id < 0) {
        counted.controls++;
        return;
    }
    if (!counted.events++) {
        counted.first_event = received_ns;
        counted.processor_first = processor_s();
    }
    counted.last_event = received_ns;
    if (event->event_id >= 0 && event->event_id != event->row_id) counted.mismatched++;
    if (event->at >= 0) histogram_add(&latency, received_us - event->at);
    if (client->last >= 0 && event->row_id <= client->last) {
        // Twice, or after a later one: either breaks the promise.
        counted.repeated++;
        return;
    }
    if (client->last >= 0) counted.missing += (uint64_t)(event->row_id - client->last - 1);
    client->last = event->row_id;
    if (options.until && client->last >= options.until) finish(client);
}

static void close_client(struct client *client) {
    if (client->descriptor >= 0) close(client->descriptor);
    client->descriptor = -1;
    if (client->state == CONNECTING || client->state == READING) opening--;
    if (client->state == OPEN) open_count--;
    if (options.reconnect) {
        // Before the server has told: a second.
        int64_t pause = client->stream.retry_ms > 0 ? client->stream.retry_ms : 1000;
        client->state = WAITING;
        client->due = monotonic_ns() + pause * 1000000;
        return;
    }
    client->state = CLOSED;
    closed_count++;
    if (!client->done && !client->stalled) lost_count++;
}

static void refuse(struct client *client) {
    // While the server is away nobody is refused anything.
    if (!(options.reconnect && client->was_open)) counted.refused++;
    close_client(client);
}

static void connect_client(struct client *client) {
    int on = 1, index = (int)(client - clients);
    client->state = CONNECTING;
    opening++;
    client->connected = monotonic_ns();
    stream_begin(&client->stream);
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->descriptor < 0) fail("socket: %s", strerror(errno));
    if (client->stalled) {
        // What a segment on an Ethernet carries: with loopback's 64 KiB the kernel would buffer megabytes.
        int window = 4096, segment = 1448;
        setsockopt(client->descriptor, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
        setsockopt(client->descriptor, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Many source addresses, as the ports of one are not enough for storms. The kernel chooses ports at connect().
    setsockopt(client->descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in source = {.sin_family = AF_INET};
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (unsigned)(index % SOURCES));
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(client->descriptor, (struct sockaddr *)&source, sizeof source) ||
        (connect(client->descriptor, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS)) {
        refuse(client);
        return;
    }
    watch(client, EPOLLOUT, EPOLL_CTL_ADD);
}

static void send_request(struct client *client) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(client->descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
    char request[1024], id[64] = "";
    if ((options.resume || client->was_open) && client->last >= 0)
        snprintf(id, sizeof id, "Last-Event-ID: %" PRId64 "\r\n", client->last);
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s\r\n", options.path, id);
    if (error || send(client->descriptor, request, (size_t)size, MSG_NOSIGNAL) != size) {
        refuse(client);
        return;
    }
    client->state = READING;
    watch(client, EPOLLIN, EPOLL_CTL_MOD);
}

static void opened(struct client *client) {
    int64_t now = received_ns;
    client->state = OPEN;
    opening--;
    open_count++;
    histogram_add(&connecting, (now - client->connected) / 1000);
    if (client->was_open) counted.reconnects++;
    else counted.opened++;
    client->was_open = 1;
    if (!counted.all_open && open_count == options.count) counted.all_open = now;
    if (client->stalled) watch(client, EPOLLRDHUP | EPOLLET, EPOLL_CTL_MOD);
}

static void read_client(struct client *client) {
    size_t kept = stream_restore(&client->stream, buffer);
    ssize_t received = recv(client->descriptor, buffer + kept, BUFFER, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (received <= 0) {
        if (client->state == OPEN) {
            counted.cut++;
            close_client(client);
        } else {
            refuse(client);
        }
        return;
    }
    counted.reads++;
    counted.bytes += (uint64_t)received;
    received_us = unix_us();
    received_ns = monotonic_ns();
    enum outcome outcome = stream_read(&client->stream, buffer, kept, (size_t)received, on_event, client);
    if (outcome == REFUSED) {
        refuse(client);
        return;
    }
    bool open = client->stream.framed || (options.head_opens && client->stream.state);
    if (client->state == READING && open) opened(client);
    if (outcome == GOES_ON) return;
    if (outcome == MALFORMED) counted.malformed++;
    else counted.cut++;
    close_client(client);
}

// Opens as many connections as may be under way; returns how long to wait at most, in milliseconds.
static int connect_some(void) {
    static int next;
    for (; next < options.count && opening < options.opening; next++) connect_client(&clients[next]);
    if (!options.reconnect || open_count == options.count) return 100;
    int64_t now = monotonic_ns();
    // Everybody is asked each time: cheap next to what a connection costs, and only while some are away.
    for (int i = 0; i < next && opening < options.opening; i++)
        if (clients[i].state == WAITING && clients[i].due <= now) connect_client(&clients[i]);
    return 5;
}

static void print_count(const char *name, uint64_t count) { printf(", \"%s\": %" PRIu64, name, count); }

static void print_quantiles(const char *name, const struct histogram *histogram) {
    printf(", \"%s\": {\"p50\": %" PRIu64 ", \"p99\": %" PRIu64 ", \"max\": %" PRIu64 "}", name,
           histogram_quantile(histogram, 0.5), histogram_quantile(histogram, 0.99), histogram->greatest);
}

static void report(void) {
    // Rows that never came leave no gap that shows.
    for (int i = 0; options.until && i < options.count; i++)
        if (!clients[i].stalled && clients[i].last < options.until)
            counted.missing += (uint64_t)(options.until - (clients[i].last < 0 ? options.until - 1 : clients[i].last));
    double seconds = (double)(counted.last_event - counted.first_event) / 1e9;
    double used = (counted.processor_done ? counted.processor_done : processor_s()) - counted.processor_first;
    printf("{\"clients\": %d, \"opened\": %" PRIu64 ", \"open\": %d", options.count, counted.opened, open_count);
    print_count("refused", counted.refused);
    print_count("cut", counted.cut);
    print_count("reconnects", counted.reconnects);
    print_count("events", counted.events);
    print_count("controls", counted.controls);
    print_count("missing", counted.missing);
    print_count("repeated", counted.repeated);
    print_count("mismatched", counted.mismatched);
    print_count("malformed", counted.malformed);
    print_count("bytes", counted.bytes);
    print_count("reads", counted.reads);
    print_quantiles("connect_us", &connecting);
    print_quantiles("latency_us", &latency);
    printf(", \"connect_s\": %.6f", counted.all_open ? (double)(counted.all_open - counted.start) / 1e9 : -1);
    printf(", \"done_at\": %.6f", (double)counted.done_at / 1e6);
    printf(", \"replay_s\": %.6f", (double)(counted.last_event - counted.start) / 1e9);
    printf(", \"busy\": %.3f}\n", counted.events > 1 && seconds > 0 ? used / seconds : 0);
}

int main(int argc, char **argv) {
    options.path = option(argc, argv, "--path", "/");
    options.port = (int)number_option(argc, argv, "--port", 0);
    options.count = (int)number_option(argc, argv, "--clients", 1);
    options.opening = (int)number_option(argc, argv, "--opening", 256);
    options.stalled = (int)number_option(argc, argv, "--stalled", 0);
    options.after = (int64_t)number_option(argc, argv, "--after", -1);
    options.until = (int64_t)number_option(argc, argv, "--until", 0);
    options.resume = flag(argc, argv, "--resume");
    options.head_opens = flag(argc, argv, "--head-opens");
    options.reconnect = flag(argc, argv, "--reconnect");
    int64_t end = monotonic_ns() + (int64_t)(number_option(argc, argv, "--max-time", 300) * 1e9);
    if (!options.port || options.count < 1 || options.stalled >= options.count) fail("see the head of load/main.c");
    raise_descriptor_limit();
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    readers = options.count - options.stalled;
    clients = calloc((size_t)options.count, sizeof *clients);
    // Behind what is kept of a line, which is at most a mebibyte.
    buffer = malloc((1 << 20) + BUFFER + 1);
    for (int i = 0; i < options.count; i++) {
        clients[i].last = options.after;
        clients[i].descriptor = -1;
        // Spread evenly among the others.
        int64_t share = options.stalled;
        clients[i].stalled = (i + 1) * share / options.count > i * share / options.count;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event input = {.events = EPOLLIN, .data.u32 = INPUT};
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    static struct epoll_event events[512];
    bool said_ready = false, said_done = false;
    counted.start = monotonic_ns();
    while (!stopped && monotonic_ns() < end) {
        int wait = connect_some();
        if (!said_ready && (counted.all_open || (!options.reconnect && open_count + closed_count == options.count))) {
            said_ready = true;
            puts("ready");
            fflush(stdout);
        }
        if (!said_done && done_count + lost_count == readers) {
            said_done = true;
            puts("done");
            fflush(stdout);
        }
        int count = epoll_wait(poller, events, 512, wait);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u32 == INPUT) {
                stopped = 1;
                continue;
            }
            struct client *client = &clients[events[i].data.u32];
            if (client->state == CONNECTING) {
                send_request(client);
            } else if (client->state == OPEN && client->stalled) {
                counted.cut++;
                close_client(client);
            } else if (client->state == READING || client->state == OPEN) {
                read_client(client);
            }
        }
    }
    report();
    return 0;
}
