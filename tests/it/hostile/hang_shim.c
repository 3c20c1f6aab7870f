// A disk that hangs: syncs of one process do not return while the file $HANG_SHIM exists.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void hang(void) {
    const char *path = getenv("HANG_SHIM");
    struct timespec pause = {0, 10000000L};
    while (path != NULL && access(path, F_OK) == 0) nanosleep(&pause, NULL);
}

int fdatasync(int file) {
    hang();
    return (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    hang();
    return (int)syscall(SYS_fsync, file);
}
