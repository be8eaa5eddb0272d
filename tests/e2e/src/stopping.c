/* Put in front of libc (LD_PRELOAD): the process stops itself (SIGSTOP) at one call of its own, and
   its clocks can be moved; or the thread alone that makes the call never comes back from it.
   STOPPING_PAGE names the file through which both are asked for;
   STOPPING_CLIENTS and STOPPING_LINK are the ports that tell its connections apart. With
   STOPPING_CLOCKS_ALONE it follows no plan: another process of the same box does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct page {
    uint32_t armed;   /* the plan is followed */
    uint32_t at;      /* how many calls of the plan are past */
    char plan[32];    /* one letter for each call, in order; the process stops at the last */
    int64_t real_ns;  /* added to CLOCK_REALTIME alone: a step */
    int64_t all_ns;   /* added to every clock: a box that was frozen */
    uint32_t hangs;   /* at the end of the plan the thread hangs, and the process goes on */
};

static struct page *page;
static int clients, link_port, clocks_alone;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("STOPPING_PAGE");
    clients = atoi(getenv("STOPPING_CLIENTS"));
    link_port = atoi(getenv("STOPPING_LINK"));
    clocks_alone = getenv("STOPPING_CLOCKS_ALONE") != NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) abort();
    close(fd);
}

static int armed(void) {
    return page && !clocks_alone && __atomic_load_n(&page->armed, __ATOMIC_ACQUIRE);
}

/* The call that this letter stands for is made. */
static void pass(char letter) {
    uint32_t at = __atomic_load_n(&page->at, __ATOMIC_ACQUIRE);
    if (at + 1 >= sizeof page->plan || page->plan[at] != letter) return;
    int last = page->plan[at + 1] == 0;
    if (!__atomic_compare_exchange_n(&page->at, &at, at + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    if (last) {
        __atomic_store_n(&page->armed, 0, __ATOMIC_RELEASE);
        while (__atomic_load_n(&page->hangs, __ATOMIC_ACQUIRE)) pause();
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
    }
}

static int has_port(int fd, int port, int (*ask)(int, struct sockaddr *, socklen_t *)) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    return ask(fd, (struct sockaddr *)&address, &length) == 0 && address.sin_family == AF_INET &&
           ntohs(address.sin_port) == port;
}

static int getpeer(int fd, struct sockaddr *a, socklen_t *l) { return getpeername(fd, a, l); }
static int getsock(int fd, struct sockaddr *a, socklen_t *l) { return getsockname(fd, a, l); }

static int is_client(int fd) { return has_port(fd, clients, getsock); }
static int is_link(int fd) {
    return has_port(fd, link_port, getpeer) || has_port(fd, link_port, getsock);
}

static int is_evidence(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "/evidence/segment/") != NULL;
}

ssize_t recv(int fd, void *buffer, size_t length, int flags) {
    REAL(recv);
    ssize_t result = real(fd, buffer, length, flags);
    if (result > 0 && armed()) {
        if (is_client(fd)) pass('q');
        else if (is_link(fd)) pass('r');
    }
    return result;
}

/* An answer that is about to leave. */
static void leaving(int fd) {
    if (armed() && is_client(fd)) pass('a');
}

static void sent(int fd, ssize_t result) {
    if (result > 0 && armed() && is_link(fd)) pass('s');
}

ssize_t send(int fd, const void *buffer, size_t length, int flags) {
    REAL(send);
    leaving(fd);
    ssize_t result = real(fd, buffer, length, flags);
    sent(fd, result);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    leaving(fd);
    ssize_t result = real(fd, parts, count);
    sent(fd, result);
    return result;
}

ssize_t pwrite64(int fd, const void *buffer, size_t length, off64_t offset) {
    REAL(pwrite64);
    ssize_t result = real(fd, buffer, length, offset);
    if (armed() && is_evidence(fd)) pass('w');
    return result;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    int result = real(fd);
    if (armed() && is_evidence(fd)) pass('d');
    return result;
}

/* How often a signing thread read the oscillator for the tokens at hand: once before it signs, and
   then after each signature. Only afterwards it hands them over, and offers its processor. */
static __thread int readings;

static int is_signing_thread(void) {
    static __thread int is = -1;
    char name[16];
    if (is < 0) is = prctl(PR_GET_NAME, name) == 0 && strncmp(name, "sign-", 5) == 0;
    return is;
}

int sched_yield(void) {
    REAL(sched_yield);
    readings = 0;
    return real();
}

int clock_gettime(clockid_t id, struct timespec *time) {
    static __thread int half;
    REAL(clock_gettime);
    int result = real(id, time);
    if (result != 0 || !page) return result;
    int64_t ns = 0;
    switch (id) {
    case CLOCK_REALTIME:
        ns = __atomic_load_n(&page->real_ns, __ATOMIC_ACQUIRE);
        /* fall through */
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        ns += __atomic_load_n(&page->all_ns, __ATOMIC_ACQUIRE);
        break;
    default:
        return result;
    }
    ns += (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
    time->tv_sec = ns / 1000000000;
    time->tv_nsec = ns % 1000000000;
    /* A sample is RAW, MONOTONIC, BOOTTIME, REALTIME, RAW. */
    if (id == CLOCK_BOOTTIME) half = 1;
    else if (id == CLOCK_REALTIME && half == 1) {
        half = 2;
        if (armed()) pass('m');
    } else if (id == CLOCK_MONOTONIC_RAW) {
        if (half == 2 && armed()) pass('c');
        half = 0;
        if (is_signing_thread() && readings++ > 0 && armed()) pass('y');
    }
    return result;
}
