/* A closed-loop load generator for the record protocol: one thread, epoll.
 *
 *   load PORT[,PORT...@MAP] CONNECTIONS IN_FLIGHT SECONDS MODE KEYS [NAMESPACE [SET]]
 *
 * MODE is mixed (half gets of all bins, half puts of one integer bin), get, put, or fill: every key
 * 0..KEYS-1 is put once, SECONDS then being the time limit. In modes batch-get and batch-put each
 * connection has one batch in flight, of IN_FLIGHT rows as the C client sends them; a row counts as an
 * operation, a latency is that of a batch. In the other modes each connection sends IN_FLIGHT requests in
 * one write, waits for all their replies, and begins again; a latency is the time from that write to the
 * last of the replies. Digests are made up (the server does not know the keys behind them), spread over
 * all partitions. Replies are framed byte by byte whatever the pieces they arrive in.
 *
 * LOAD_GREETING in the environment names a file whose bytes, one frame, each connection sends first:
 * a login. Its reply must be one that says 0.
 * Built with WITH_TLS (and OpenSSL's libraries), it speaks TLS; it believes whatever certificate it is shown.
 * With several ports the load is routed as clients route it: MAP is a file of 4096 bytes, for each
 * partition the place in the list of the node that is its master. Connections go to the nodes in turn,
 * and each sends requests for its node's partitions only (but in mode fill, and in batches, any).
 *
 * Prints one JSON object. Exit status 0; 1 when the server closes, stalls for STALL_MS, breaks the
 * protocol, or answers anything but 0 (ok) and, to a get, 2 (not found).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

enum {
    PROTO_HEADER = 8,
    MESSAGE_HEADER = 22,
    MAX_REQUEST = 512,
    MAX_IN_FLIGHT = 1024,
    RECEIVE = 1 << 16,
    STALL_MS = 10000,
    SUB_BITS = 6, /* 64 steps to each power of two: percentiles are right to 1.6 % */
    BUCKETS = 64 << SUB_BITS,
    PARTITIONS = 4096,
    MAX_NODES = 16,
};

typedef enum { MIXED, GET, PUT, FILL, BATCH_GET, BATCH_PUT } load_mode;

typedef struct {
    int fd;
    int node;                          /* which of the ports it goes to */
    uint64_t sent_ns;
    int waiting;                       /* replies still to come */
    int held;                          /* bytes of a header that came in pieces */
    unsigned char header[PROTO_HEADER + MESSAGE_HEADER];
    uint64_t skip;                     /* bytes of the current reply still to pass over */
    unsigned char *out;
    size_t out_start, out_end;         /* what of the requests the socket has not taken yet */
    int blocked;                       /* waiting for the socket to take them */
#ifdef WITH_TLS
    SSL *tls;
#endif
} connection_t;

static struct {
    int ports[MAX_NODES], nodes, connections, in_flight;
    unsigned char master[PARTITIONS];
    double seconds;
    load_mode mode;
    uint64_t keys, next_key;
    const char *namespace, *set;
    uint64_t random;
    uint64_t operations, not_found;
    uint64_t latency[BUCKETS];
    int epoll;
} run = {.namespace = "test", .set = "demo", .random = 88172645463325252ull};

static void die(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void) {
    run.random ^= run.random << 13;
    run.random ^= run.random >> 7;
    run.random ^= run.random << 17;
    return run.random;
}

static uint64_t mix(uint64_t x) { /* a bijection that looks random: distinct keys, distinct digests */
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

/* The digest of a key begins with these bytes: its partition is their low 12 bits. */
static int master_of(uint64_t key) { return run.master[mix(key) % PARTITIONS]; }

static uint64_t next_key_of(int node) {
    for (;;) {
        uint64_t key = next_random() % run.keys;
        if (run.nodes == 1 || master_of(key) == node) return key;
    }
}

/* ---------------------------------------------------------------- requests */

static unsigned char *put_u32(unsigned char *p, uint32_t value) {
    value = htonl(value);
    memcpy(p, &value, 4);
    return p + 4;
}

static unsigned char *put_field(unsigned char *p, int type, const void *data, size_t size) {
    p = put_u32(p, (uint32_t)size + 1);
    *p++ = (unsigned char)type;
    memcpy(p, data, size);
    return p + size;
}

static unsigned char *put_digest(unsigned char *p, uint64_t key) {
    uint64_t words[3] = {mix(key), mix(key ^ 0x5555555555555555ull), key};
    memcpy(p, words, 20);
    return p + 20;
}

static unsigned char *put_write(unsigned char *p, uint64_t key) {
    static const unsigned char operation[] = {2, 1, 0, 3, 'b', 'i', 'n'}; /* WRITE, integer, "bin" */
    p = put_u32(p, sizeof operation + 8);
    memcpy(p, operation, sizeof operation);
    p += sizeof operation;
    p = put_u32(p, (uint32_t)(key >> 32));
    return put_u32(p, (uint32_t)key);
}

static size_t put_frame(unsigned char *start, unsigned char *end) {
    size_t size = (size_t)(end - start);
    uint32_t body = (uint32_t)(size - PROTO_HEADER);
    start[0] = 2;
    start[1] = 3;
    put_u32(start + 4, body);
    return size;
}

static size_t build_request(unsigned char *start, uint64_t key, int write) {
    unsigned char digest[20], *p = start + PROTO_HEADER;
    put_digest(digest, key);
    memset(start, 0, PROTO_HEADER + MESSAGE_HEADER);
    p[0] = MESSAGE_HEADER;
    p[1] = write ? 0 : 3; /* READ | GET_ALL */
    p[2] = write ? 1 : 0; /* WRITE */
    p[19] = 3;            /* fields */
    p[21] = write ? 1 : 0;
    p += MESSAGE_HEADER;
    p = put_field(p, 0, run.namespace, strlen(run.namespace));
    p = put_field(p, 1, run.set, strlen(run.set));
    p = put_field(p, 4, digest, sizeof digest);
    if (write) p = put_write(p, key);
    return put_frame(start, p);
}

/* Row flags, info1, info2, info3, [generation], ttl, fields, ops: as the C client's defaults are. */
static unsigned char *put_row_head(unsigned char *p, int write) {
    static const unsigned char get[] = {0x0a, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0};
    static const unsigned char put[] = {0x0e, 0, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
    size_t size = write ? sizeof put : sizeof get;
    memcpy(p, write ? put : get, size);
    p = put_field(p + size, 0, run.namespace, strlen(run.namespace));
    return put_field(p, 1, run.set, strlen(run.set));
}

static size_t build_batch(unsigned char *start, int rows, int write) {
    unsigned char *p = start + PROTO_HEADER, *field = p + MESSAGE_HEADER;
    memset(start, 0, PROTO_HEADER + MESSAGE_HEADER);
    p[0] = MESSAGE_HEADER;
    p[1] = 8;  /* BATCH */
    p[19] = 1; /* fields */
    field[4] = 41;
    p = put_u32(field + 5, (uint32_t)rows);
    *p++ = 0x0d; /* inline, respond to all, report failures */
    for (int i = 0; i < rows; i++) {
        uint64_t key = next_random() % run.keys;
        p = put_digest(put_u32(p, (uint32_t)i), key);
        if (i && !write)
            *p++ = 1; /* REPEAT */
        else
            p = put_row_head(p, write);
        if (write) p = put_write(p, key);
    }
    put_u32(field, (uint32_t)(p - field - 4));
    return put_frame(start, p);
}

static void watch(connection_t *c, int writable, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(run.epoll, operation, c->fd, &event)) die("epoll_ctl failed");
}

/* ---------------------------------------------------------------- the socket, in the clear or by TLS */

#ifdef WITH_TLS
static ssize_t outcome(connection_t *c, int n) { /* as of a system call */
    if (n > 0) return n;
    int error = SSL_get_error(c->tls, n);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return errno == EAGAIN ? -1 : 0;
}

static ssize_t send_some(connection_t *c, const void *data, size_t size) {
    return outcome(c, SSL_write(c->tls, data, (int)size));
}

static ssize_t receive_some(connection_t *c, void *data, size_t size) {
    return outcome(c, SSL_read(c->tls, data, (int)size));
}

static int held_by_tls(connection_t *c) { return SSL_pending(c->tls) > 0; }

static void begin(connection_t *c) {
    static SSL_CTX *context;
    if (!context && !(context = SSL_CTX_new(TLS_client_method()))) die("no TLS");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    c->tls = SSL_new(context);
    if (!c->tls || !SSL_set_fd(c->tls, c->fd) || SSL_connect(c->tls) != 1) die("no TLS handshake");
}

static void watched(connection_t *c) { fcntl(c->fd, F_SETFL, O_NONBLOCK); }
#else
static ssize_t send_some(connection_t *c, const void *data, size_t size) {
    return send(c->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t receive_some(connection_t *c, void *data, size_t size) {
    return recv(c->fd, data, size, MSG_DONTWAIT);
}

static int held_by_tls(connection_t *c) { return (void)c, 0; }
static void begin(connection_t *c) { (void)c; }
static void watched(connection_t *c) { (void)c; }
#endif

static void flush(connection_t *c) {
    while (c->out_start < c->out_end) {
        ssize_t n = send_some(c, c->out + c->out_start, c->out_end - c->out_start);
        if (n < 0 && errno == EAGAIN) {
            if (!c->blocked) watch(c, c->blocked = 1, EPOLL_CTL_MOD);
            return;
        }
        if (n <= 0) die("the server closed a connection");
        c->out_start += (size_t)n;
    }
    c->out_start = c->out_end = 0;
    if (c->blocked) watch(c, c->blocked = 0, EPOLL_CTL_MOD);
}

/* Send the next batch; 0 when there is nothing left to send. */
static int send_batch(connection_t *c) {
    c->out_end = 0;
    c->waiting = 0;
    if (run.mode >= BATCH_GET) {
        c->out_end = build_batch(c->out, run.in_flight, run.mode == BATCH_PUT);
        c->waiting = 1;
    }
    for (int i = 0; i < run.in_flight && run.mode < BATCH_GET; i++) {
        uint64_t key = run.mode == FILL ? run.next_key++ : next_key_of(c->node);
        if (run.mode == FILL && key >= run.keys) break;
        int write = run.mode == FILL || run.mode == PUT || (run.mode == MIXED && (next_random() & 1024));
        c->out_end += build_request(c->out + c->out_end, key, write);
        c->waiting++;
    }
    if (!c->waiting) return 0;
    c->sent_ns = now_ns();
    flush(c);
    return 1;
}

/* ----------------------------------------------------------------- replies */

static int bucket_of(uint64_t ns) {
    if (ns < (1u << SUB_BITS)) return (int)ns;
    int shift = 63 - __builtin_clzll(ns) - SUB_BITS;
    return ((shift + 1) << SUB_BITS) + (int)((ns >> shift) & ((1u << SUB_BITS) - 1));
}

static double bucket_us(int bucket) {
    int shift = (bucket >> SUB_BITS) - 1;
    if (shift < 0) return bucket / 1e3;
    uint64_t low = ((uint64_t)(bucket & ((1 << SUB_BITS) - 1)) | (1u << SUB_BITS)) << shift;
    return (double)low / 1e3;
}

static double percentile(double part) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) total += run.latency[i];
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += run.latency[i]) > part * (double)total) return bucket_us(i);
    return 0;
}

static void reply_done(connection_t *c) {
    int result = c->header[PROTO_HEADER + 5];
    if (result == 2)
        run.not_found++;
    else if (result != 0) {
        fprintf(stderr, "load: result code %d\n", result);
        exit(1);
    }
    c->held = 0;
    if (run.mode < BATCH_GET)
        run.operations++;
    else if (c->header[PROTO_HEADER + 3] & 1) /* LAST */
        run.operations += (uint64_t)run.in_flight;
    else
        return;
    if (--c->waiting < 0) die("a reply nobody asked for");
}

/* Take in `size` bytes of replies, in whatever pieces. */
static void take(connection_t *c, const unsigned char *data, size_t size) {
    const int head = PROTO_HEADER + MESSAGE_HEADER;
    while (size) {
        if (c->held < head) {
            size_t n = (size_t)(head - c->held) < size ? (size_t)(head - c->held) : size;
            memcpy(c->header + c->held, data, n);
            c->held += (int)n;
            data += n;
            size -= n;
            if (c->held < head) return;
            uint64_t body = 0;
            for (int i = 2; i < PROTO_HEADER; i++) body = body << 8 | c->header[i];
            if (c->header[0] != 2 || c->header[1] != 3 || body < MESSAGE_HEADER) die("not a reply");
            c->skip = body - MESSAGE_HEADER;
        }
        size_t n = c->skip < size ? (size_t)c->skip : size;
        c->skip -= n;
        data += n;
        size -= n;
        if (c->skip == 0) reply_done(c);
    }
}

/* ----------------------------------------------------------------- the run */

/* Send a frame from a file and wait for the reply, before the run begins. */
static void receive_all(connection_t *c, unsigned char *data, size_t size) {
    while (size) {
        ssize_t n = receive_some(c, data, size);
        if (n < 0 && errno == EAGAIN && poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, STALL_MS) == 1)
            continue;
        if (n <= 0) die("no whole reply to the greeting");
        data += n;
        size -= (size_t)n;
    }
}

static void greet(connection_t *c, const char *path) {
    unsigned char frame[4096], reply[PROTO_HEADER + 16];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(frame, 1, sizeof frame, file) : 0;
    if (!size || fclose(file)) die("cannot read the greeting");
    if (send_some(c, frame, size) != (ssize_t)size) die("cannot greet");
    receive_all(c, reply, sizeof reply);
    if (reply[PROTO_HEADER + 1]) die("the greeting is refused");
    size_t rest = (size_t)(reply[6] * 256 + reply[7] - 16);
    if (rest > sizeof frame) die("a long reply to the greeting");
    receive_all(c, frame, rest);
}

static void open_connection(connection_t *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)run.ports[c->node])};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address)) die("cannot connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    begin(c);
    if (getenv("LOAD_GREETING")) greet(c, getenv("LOAD_GREETING"));
    watched(c);
    c->out = malloc((size_t)run.in_flight * MAX_REQUEST);
    if (!c->out) die("out of memory");
    watch(c, 0, EPOLL_CTL_ADD);
}

/* One connection has something to say; 1 when it goes on, 0 when it has finished. */
static int serve(connection_t *c, uint32_t events, uint64_t end_ns) {
    static unsigned char received[RECEIVE];
    if (events & EPOLLOUT) flush(c);
    if (!(events & ~(uint32_t)EPOLLOUT)) return 1;
    for (;;) { /* TLS may hold more than it gives at once, of which the kernel knows nothing */
        ssize_t n = receive_some(c, received, sizeof received);
        if (n < 0 && errno == EAGAIN) return 1;
        if (n <= 0) die("the server closed a connection");
        take(c, received, (size_t)n);
        if (!c->waiting || !held_by_tls(c)) break;
    }
    if (c->waiting) return 1;
    uint64_t now = now_ns();
    run.latency[bucket_of(now - c->sent_ns)]++;
    if (now >= end_ns) return 0;
    return send_batch(c);
}

static double loop(connection_t *connections) {
    struct epoll_event events[256];
    uint64_t start = now_ns(), end = start + (uint64_t)(run.seconds * 1e9);
    int active = 0;
    for (int i = 0; i < run.connections; i++) active += send_batch(&connections[i]);
    while (active) {
        int n = epoll_wait(run.epoll, events, 256, STALL_MS);
        if (n == 0) die("the server answers no more");
        if (n < 0 && errno != EINTR) die("epoll_wait failed");
        for (int i = 0; i < n; i++)
            if (!serve(events[i].data.ptr, events[i].events, end)) active--;
    }
    return (double)(now_ns() - start) / 1e9;
}

static load_mode mode_of(const char *name) {
    const char *names[] = {"mixed", "get", "put", "fill", "batch-get", "batch-put"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(name, names[i])) return (load_mode)i;
    die("MODE is mixed, get, put, fill, batch-get or batch-put");
    return MIXED;
}

/* PORT[,PORT...@MAP] */
static void read_nodes(char *text) {
    char *map = strchr(text, '@');
    if (map) *map++ = 0;
    for (char *port = strtok(text, ","); port && run.nodes < MAX_NODES; port = strtok(NULL, ","))
        run.ports[run.nodes++] = atoi(port);
    if (run.nodes < 1 || (run.nodes > 1) != (map != NULL)) die("one PORT, or PORT,PORT...@MAP");
    if (!map) return;
    FILE *file = fopen(map, "rb");
    if (!file || fread(run.master, 1, PARTITIONS, file) != PARTITIONS) die("cannot read the map");
    fclose(file);
    for (int i = 0; i < PARTITIONS; i++)
        if (run.master[i] >= run.nodes) die("the map names a node that is not in the list");
}

int main(int argc, char **argv) {
    if (argc < 7 || argc > 9)
        die("usage: load PORT[,PORT...@MAP] CONNECTIONS IN_FLIGHT SECONDS MODE KEYS [NAMESPACE [SET]]");
    read_nodes(argv[1]);
    run.connections = atoi(argv[2]);
    run.in_flight = atoi(argv[3]);
    run.seconds = atof(argv[4]);
    run.mode = mode_of(argv[5]);
    run.keys = strtoull(argv[6], NULL, 10);
    if (argc > 7) run.namespace = argv[7];
    if (argc > 8) run.set = argv[8];
    if (run.connections < 1 || run.in_flight < 1 || run.in_flight > MAX_IN_FLIGHT || run.keys < 1 ||
        strlen(run.namespace) > 31 || strlen(run.set) > 63)
        die("a number or a name is out of range");
    run.epoll = epoll_create1(0);
    connection_t *connections = calloc((size_t)run.connections, sizeof *connections);
    if (run.epoll < 0 || !connections) die("out of memory");
    for (int i = 0; i < run.connections; i++) {
        connections[i].node = i % run.nodes;
        open_connection(&connections[i]);
    }
    double seconds = loop(connections);
    printf("{\"operations\": %llu, \"not_found\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
           (unsigned long long)run.operations, (unsigned long long)run.not_found, seconds,
           (double)run.operations / seconds, percentile(0.5), percentile(0.99), percentile(0.999));
    return 0;
}
