// Names of one process: each look-up of a name that ends in .example has the next of the addresses in the file
// $NAMES_SHIM, which a blank separates, and then the first again.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int looked_up;

static int is_ours(const char *name) {
    size_t length = name == NULL ? 0 : strlen(name);
    return length > 8 && strcmp(name + length - 8, ".example") == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *path = getenv("NAMES_SHIM");
    if (path == NULL || !is_ours(name)) return real(name, service, hints, found);
    char text[256] = {0};
    char *address[16];
    int count = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0) return EAI_AGAIN;
    close(file);
    char *rest = text;
    for (char *one; count < 16 && (one = strsep(&rest, " ")) != NULL; count++) address[count] = one;
    return real(address[atomic_fetch_add(&looked_up, 1) % count], service, hints, found);
}
