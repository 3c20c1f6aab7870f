// A resolver: names that begin with "slow" have no answer while the file $SLOW_NAMES_SHIM exists, and those that begin
// with "quick" are this machine.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    resolve *system = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *path = getenv("SLOW_NAMES_SHIM");
    struct timespec pause = {0, 10000000L};
    if (name != NULL && strncmp(name, "slow", 4) == 0) {
        while (path != NULL && access(path, F_OK) == 0) nanosleep(&pause, NULL);
        return EAI_NONAME;
    }
    if (name != NULL && strncmp(name, "quick", 5) == 0) name = "127.0.0.1";
    return system(name, service, hints, found);
}
