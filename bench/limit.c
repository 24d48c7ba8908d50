/* The machine's limit: an epoll server that answers every request with a canned reply.
 *
 *   limit
 *
 * Listens on any free port of the loopback, prints "limit ready PORT" and serves until it is killed.
 * It frames the requests and looks at one byte of each: a read gets a record of one integer bin, all
 * else a bare result. What a real server does beyond this is its own cost; the rest is the kernel's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVE = 1 << 16, SEND = 1 << 19, PROTO_HEADER = 8 };

typedef struct {
    int fd;
    int held; /* bytes of a request that came in pieces */
    unsigned char data[RECEIVE];
} connection_t;

static const unsigned char DONE[] = {
    2, 3, 0, 0, 0, 0, 0, 22,                                           /* proto header */
    22, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* message header */
};
static const unsigned char RECORD[] = {
    2, 3, 0, 0, 0, 0, 0, 41,
    22, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0, 0, 0, 15, 1, 1, 0, 3, 'b', 'i', 'n', 0, 0, 0, 0, 0, 0, 0, 7, /* one integer bin */
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Answer the whole requests in `c->data`; the bytes of replies, or -1 when the peer breaks the framing. */
static ssize_t answer(connection_t *c, unsigned char *out) {
    int at = 0;
    size_t size = 0;
    while (c->held - at >= PROTO_HEADER) {
        const unsigned char *request = c->data + at;
        int body = request[5] << 16 | request[6] << 8 | request[7];
        if (request[0] != 2 || PROTO_HEADER + body > RECEIVE) return -1;
        if (c->held - at < PROTO_HEADER + body) break;
        int read = body > 1 && request[PROTO_HEADER + 1] & 1;
        memcpy(out + size, read ? RECORD : DONE, read ? sizeof RECORD : sizeof DONE);
        size += read ? sizeof RECORD : sizeof DONE;
        at += PROTO_HEADER + body;
    }
    memmove(c->data, c->data + at, (size_t)(c->held -= at));
    return (ssize_t)size;
}

static int serve(connection_t *c) {
    static unsigned char out[SEND];
    ssize_t n = recv(c->fd, c->data + c->held, (size_t)(RECEIVE - c->held), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 1;
    if (n <= 0) return 0;
    c->held += (int)n;
    ssize_t size = answer(c, out);
    for (ssize_t sent = 0; sent < size; sent += n)
        if ((n = send(c->fd, out + sent, (size_t)(size - sent), MSG_NOSIGNAL)) <= 0) return 0;
    return size >= 0;
}

static int listen_anywhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (void *)&address, sizeof address) || listen(fd, 128)) die("listen");
    if (getsockname(fd, (void *)&address, &size)) die("getsockname");
    printf("limit ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(void) {
    struct epoll_event events[256], event = {.events = EPOLLIN};
    int listener = listen_anywhere(), epoll = epoll_create1(0), one = 1;
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) die("epoll");
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            connection_t *c = events[i].data.ptr;
            if (c == NULL) {
                if (!(c = calloc(1, sizeof *c))) die("calloc");
                c->fd = accept(listener, NULL, NULL);
                setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.ptr = c;
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl");
            } else if (!serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
