/* Put in front of libc (LD_PRELOAD): fdatasync fails with EIO as long as the file exists that
   FAILING_DISK_SWITCH names, and does not return as long as the one exists that STALLING_DISK_SWITCH
   names. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd) {
    const char *stalls = getenv("STALLING_DISK_SWITCH");
    while (stalls && access(stalls, F_OK) == 0)
        usleep(10000);
    const char *file = getenv("FAILING_DISK_SWITCH");
    if (file && access(file, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
