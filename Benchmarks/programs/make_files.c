// SPDX-License-Identifier: LGPL-2.1-or-later
// make_files DIRECTORY COUNT [IMAGE]: fills a directory with sparse raw files of 1 MiB; with IMAGE, every second one is a copy of it.
#include "bench.h"
#include <sys/stat.h>

enum { block_size = 4096 };

static int open_new(int directory, int number, const char *suffix) {
    char name[64];
    snprintf(name, sizeof name, "volume-%06d.%s", number, suffix);
    return done(openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644), name);
}

static void make_raw(int directory, int number) {
    int file = open_new(directory, number, "img");
    done(ftruncate(file, 1 << 20), "a raw file");
    close(file);
}

/// Blocks of zeros stay holes.
static void make_copy(int directory, int number, const char *image, size_t size) {
    static const char zeros[block_size];
    int file = open_new(directory, number, "qcow2");
    for (size_t offset = 0; offset < size; offset += block_size) {
        size_t length = size - offset < block_size ? size - offset : block_size;
        if (memcmp(image + offset, zeros, length) == 0) continue;
        if (pwrite(file, image + offset, length, (off_t)offset) != (ssize_t)length) give_up("an image file", errno);
    }
    done(ftruncate(file, (off_t)size), "an image file");
    close(file);
}

static char *read_whole(const char *path, size_t *size) {
    int file = done(open(path, O_RDONLY | O_CLOEXEC), path);
    struct stat status;
    done(fstat(file, &status), path);
    *size = (size_t)status.st_size;
    char *bytes = malloc(*size);
    if (!bytes || read(file, bytes, *size) != (ssize_t)*size) give_up(path, errno);
    close(file);
    return bytes;
}

int main(int count, char **arguments) {
    if (count < 3) give_up("make_files DIRECTORY COUNT [IMAGE]", 0);
    int directory = done(open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC), arguments[1]);
    size_t size = 0;
    char *image = count > 3 ? read_whole(arguments[3], &size) : NULL;
    for (int i = 0; i < atoi(arguments[2]); i++) {
        if (image && i % 2) make_copy(directory, i, image, size);
        else make_raw(directory, i);
    }
    done(syncfs(directory), "syncfs");
}
