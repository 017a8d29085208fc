// SPDX-License-Identifier: LGPL-2.1-or-later
// floor_scan DIRECTORY [evict | frugal]: prints the milliseconds that one thread needs to look into every file: getdents, openat,
// fstat, one pread of 4 KiB, close. `frugal` tells the kernel not to read ahead; `evict` forgets the files' pages instead of reading.
#include "bench.h"
#include <dirent.h>
#include <sys/stat.h>

enum mode { plain, frugal, evict };

static void look_into(int directory, const char *name, enum mode mode) {
    char header[4096];
    struct stat status;
    int file = done(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), name);
    done(fstat(file, &status), name);
    if (mode == frugal) posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
    if (mode == evict) posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    else if (pread(file, header, sizeof header, 0) < 0) give_up(name, errno);
    close(file);
}

int main(int count, char **arguments) {
    if (count < 2) give_up("floor_scan DIRECTORY [evict | frugal]", 0);
    enum mode mode = count < 3 ? plain : strcmp(arguments[2], "evict") == 0 ? evict : frugal;
    double start = seconds_now();
    DIR *directory = opendir(arguments[1]);
    if (!directory) give_up(arguments[1], errno);
    struct dirent *entry;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.') look_into(dirfd(directory), entry->d_name, mode);
    closedir(directory);
    printf("%.3f\n", (seconds_now() - start) * 1e3);
}
