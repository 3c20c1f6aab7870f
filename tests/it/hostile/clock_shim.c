// Sets the wall clock of one process by as many seconds as the file $CLOCK_SHIM says, read at each look.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    int done = (int)syscall(SYS_clock_gettime, id, now);
    const char *path = getenv("CLOCK_SHIM");
    if (done != 0 || id != CLOCK_REALTIME || path == NULL) return done;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return done;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
    close(file);
    return done;
}
