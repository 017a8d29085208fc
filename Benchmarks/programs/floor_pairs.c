// SPDX-License-Identifier: LGPL-2.1-or-later
// floor_pairs DIRECTORY CLIENTS SECONDS: prints how many sparse files of 1 MiB a second are created and deleted again, each step
// durable: create, ftruncate, fsync, fsync of the directory, unlink, fsync of the directory.
#include "pairs.h"

static const char *path;
static int directory;

static void *connect_here(void) { return NULL; }

static void make_pair(void *client, const char *name) {
    (void)client;
    int file = done(openat(directory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600), name);
    done(ftruncate(file, 1 << 20), name);
    done(fsync(file), name);
    close(file);
    done(fsync(directory), path);
    done(unlinkat(directory, name, 0), name);
    done(fsync(directory), path);
}

int main(int count, char **arguments) {
    if (count < 4) give_up("floor_pairs DIRECTORY CLIENTS SECONDS", 0);
    path = arguments[1];
    directory = done(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
    const struct pair_maker maker = {connect_here, make_pair};
    printf("%.1f\n", pairs_per_second(&maker, atoi(arguments[2]), atof(arguments[3])));
}
