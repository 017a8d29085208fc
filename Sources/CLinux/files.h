// SPDX-License-Identifier: LGPL-2.1-or-later
// Files: system calls and flags that glibc shows to _GNU_SOURCE alone, or not at all. Every helper answers as its system call
// does: a result, or -1 and errno; where it says so, a negative errno.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

static const int linux_O_PATH = __O_PATH;
static const int linux_O_DIRECT = __O_DIRECT;
static const int linux_O_TMPFILE = __O_TMPFILE;
static const int linux_AT_EMPTY_PATH = 0x1000;
static const int linux_AT_NO_AUTOMOUNT = 0x800;
static const int linux_AT_STATX_DONT_SYNC = 0x4000;
static const unsigned linux_STATX_BASIC = STATX_BASIC_STATS | STATX_BTIME;
static const uint64_t linux_ATTR_MOUNT_ROOT = STATX_ATTR_MOUNT_ROOT;
static const int linux_FALLOC_KEEP_SIZE = 0x01;

// MARK: Reaching files

/// Opens `name` below `directory`: no symbolic link on the way, no way out.
static inline int linux_open_beneath(int directory, const char *name, int flags, mode_t mode) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | (__O_TMPFILE & ~O_DIRECTORY))) ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    int result = -1;
    for (int attempt = 0; attempt < 16; attempt++) {  // EAGAIN: something was renamed at the same time
        result = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
        if (result >= 0 || errno != EAGAIN || (flags & O_NONBLOCK)) break;
    }
    return result;
}

/// Writes the path under which a descriptor's file is reached without its name.
static inline void linux_descriptor_path(char path[32], int descriptor) {
    char digits[12];
    int count = 0;
    unsigned number = (unsigned)descriptor;
    strcpy(path, "/proc/self/fd/");
    size_t end = strlen(path);
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0) path[end++] = digits[--count];
    path[end] = 0;
}

/// Opens what an O_PATH descriptor refers to, with real rights, whatever its name is by now.
static inline int linux_reopen(int descriptor, int flags) {
    char path[32];
    linux_descriptor_path(path, descriptor);
    return open(path, flags | O_CLOEXEC);
}

/// A plain open, which Swift cannot call because it is variadic.
static inline int linux_open(const char *path, int flags, mode_t mode) { return open(path, flags | O_CLOEXEC, mode); }

static inline int linux_get_flags(int descriptor) { return fcntl(descriptor, F_GETFL); }
static inline int linux_set_flags(int descriptor, int flags) { return fcntl(descriptor, F_SETFL, flags); }

// MARK: Names

/// Gives a file without a name (O_TMPFILE) one; never replaces.
static inline int linux_link_descriptor(int descriptor, int directory, const char *name) {
    if (syscall(SYS_linkat, descriptor, "", directory, name, 0x1000 /* AT_EMPTY_PATH */) == 0) return 0;
    if (errno != ENOENT && errno != EPERM && errno != EINVAL) return -1;
    char path[32];  // needs no privilege, but /proc
    linux_descriptor_path(path, descriptor);
    return linkat(AT_FDCWD, path, directory, name, 0x400 /* AT_SYMLINK_FOLLOW */);
}

/// Renames; never replaces.
static inline int linux_rename_new(int old_directory, const char *old, int directory, const char *name) {
    return (int)syscall(SYS_renameat2, old_directory, old, directory, name, 1U /* RENAME_NOREPLACE */);
}

/// Reads where a symbolic link points; not terminated.
static inline ssize_t linux_read_link(int directory, const char *name, char *target, size_t size) {
    return readlinkat(directory, name, target, size);
}

// MARK: What a file is

static inline int linux_statx(int directory, const char *name, int flags, unsigned mask, struct statx *status) {
    return (int)syscall(SYS_statx, directory, name, flags, mask, status);
}

/// A directory's next entries as the kernel writes them; 0 at the end.
static inline ssize_t linux_getdents(int directory, void *buffer, size_t size) {
    return (ssize_t)syscall(SYS_getdents64, directory, buffer, size);
}

/// One entry of such a buffer.
struct linux_entry {
    uint64_t inode;
    uint32_t length;  // of the entry: where the next one begins
    uint32_t kind;    // DT_REG ...
    uint32_t name_length;
    const char *name;
};

/// Decodes the entry at `offset`.
static inline struct linux_entry linux_entry_at(const void *buffer, size_t offset) {
    const unsigned char *raw = (const unsigned char *)buffer + offset;
    struct linux_entry entry;
    uint16_t length;
    memcpy(&entry.inode, raw, sizeof entry.inode);
    memcpy(&length, raw + 16, sizeof length);
    entry.length = length;
    entry.kind = raw[18];
    entry.name = (const char *)raw + 19;
    entry.name_length = (uint32_t)strlen(entry.name);
    return entry;
}

/// The kernel's durable name of a file.
struct linux_handle {
    unsigned length;  // in: room in `bytes`; out: how many are used
    int type;
    unsigned char bytes[128];
};

/// Fills `handle`; EOPNOTSUPP where the file system has no handles.
static inline int linux_get_handle(int directory, const char *name, int flags, struct linux_handle *handle) {
    int mount;
    handle->length = sizeof handle->bytes;
    return (int)syscall(SYS_name_to_handle_at, directory, name, handle, &mount, flags);
}

// MARK: File systems

static inline unsigned linux_major(dev_t device) { return major(device); }
static inline unsigned linux_minor(dev_t device) { return minor(device); }

/// What is asked of a file system.
struct linux_space {
    uint64_t capacity, free, available;  // bytes
    uint64_t magic;
    uint64_t identity;  // f_fsid
};

static inline int linux_space_of(int descriptor, struct linux_space *space) {
    struct statfs raw;
    if (fstatfs(descriptor, &raw) < 0) return -1;
    uint64_t unit = raw.f_frsize > 0 ? (uint64_t)raw.f_frsize : (uint64_t)raw.f_bsize;
    space->capacity = raw.f_blocks * unit;
    space->free = raw.f_bfree * unit;
    space->available = raw.f_bavail * unit;
    space->magic = (uint64_t)(unsigned long)raw.f_type;
    memcpy(&space->identity, &raw.f_fsid, sizeof space->identity);
    return 0;
}

/// The UUID of the file system that `descriptor` is on, by whichever ioctl this kernel and file system have.
static inline int linux_filesystem_uuid(int descriptor, unsigned char uuid[16]) {
    struct {
        uint8_t length;
        uint8_t bytes[16];
    } any;
    memset(&any, 0, sizeof any);
    if (ioctl(descriptor, _IOR(0x15, 0, any), &any) == 0 && any.length == 16) {  // FS_IOC_GETFSUUID, Linux 6.9
        memcpy(uuid, any.bytes, 16);
        return 0;
    }
    struct {
        uint32_t length, flags;
        uint8_t bytes[16];
    } ext4 = {.length = 16};
    if (ioctl(descriptor, _IOR('f', 44, uint32_t[2]), &ext4) == 0 && ext4.length == 16) {  // EXT4_IOC_GETFSUUID, Linux 6.0
        memcpy(uuid, ext4.bytes, 16);
        return 0;
    }
    uint8_t btrfs[1024];  // struct btrfs_ioctl_fs_info_args: two 64-bit numbers, then the UUID
    memset(btrfs, 0, sizeof btrfs);
    if (ioctl(descriptor, _IOR(0x94, 31, btrfs), btrfs) == 0) {
        memcpy(uuid, btrfs + 16, 16);
        return 0;
    }
    uint8_t xfs[256];  // struct xfs_fsop_geom, version 5: the UUID is at 64
    memset(xfs, 0, sizeof xfs);
    if (ioctl(descriptor, _IOR('X', 126, xfs), xfs) == 0) {
        memcpy(uuid, xfs + 64, 16);
        return 0;
    }
    errno = EOPNOTSUPP;
    return -1;
}

/// Has what is written to a file from now on, or to those made in a directory, copied on write or not: the attribute FS_NOCOW_FL, `C` of
/// chattr(1). EOPNOTSUPP or ENOTTY where the file system has no such attribute.
static inline int linux_set_copy_on_write(int descriptor, int on) {
    unsigned flags = 0;
    const unsigned never = 0x00800000;  // linux/fs.h
    if (ioctl(descriptor, _IOR('f', 1, long), &flags) < 0) return -1;
    unsigned wanted = on ? flags & ~never : flags | never;
    return wanted == flags ? 0 : ioctl(descriptor, _IOW('f', 2, long), &wanted);
}

// MARK: Who else has it

/// A lease: F_RDLCK succeeds if nobody has the file open for writing, F_WRLCK if nobody else has it open at all. Whoever opens
/// it then waits for F_UNLCK; the signal about that is SIGURG, which does nothing unless somebody handles it.
static inline int linux_lease(int descriptor, int type) {
    if (type != F_UNLCK && fcntl(descriptor, 10 /* F_SETSIG */, 23 /* SIGURG */) < 0) return -1;
    return fcntl(descriptor, 1024 /* F_SETLEASE */, type);
}

/// A lock of the open file description over the whole file; fails with EAGAIN if another one has a conflicting lock.
static inline int linux_ofd_lock(int descriptor, int type) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = (short)type;
    lock.l_whence = SEEK_SET;
    return fcntl(descriptor, 37 /* F_OFD_SETLK */, &lock);
}

// MARK: Data that is read, and what clients of a file system keep with a file

/// Keeps the kernel from reading more of the file than it is asked for.
static inline int linux_read_no_ahead(int descriptor) { return posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM); }

static inline ssize_t linux_get_attribute(int descriptor, const char *name, void *value, size_t size) {
    return fgetxattr(descriptor, name, value, size);
}

/// The same of an entry of a directory, without opening it; ENOSYS before Linux 6.13.
static inline ssize_t linux_get_attribute_at(int directory, const char *entry, const char *name, void *value, uint32_t size) {
    struct {
        uint64_t value;
        uint32_t size, flags;
    } arguments = {.value = (uint64_t)(uintptr_t)value, .size = size, .flags = 0};
    return (ssize_t)syscall(464 /* getxattrat */, directory, entry, 0x100 /* AT_SYMLINK_NOFOLLOW */, name, &arguments, sizeof arguments);
}

static inline int linux_set_attribute(int descriptor, const char *name, const void *value, size_t size) {
    return fsetxattr(descriptor, name, value, size, 0);
}

static inline int linux_remove_attribute(int descriptor, const char *name) { return fremovexattr(descriptor, name); }

// MARK: Space and data

static inline int linux_fallocate(int descriptor, int mode, int64_t offset, int64_t length) {
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
}

static inline ssize_t linux_copy_file_range(int from, int64_t *at, int to, int64_t *there, size_t length) {
    return (ssize_t)syscall(SYS_copy_file_range, from, at, to, there, length, 0U);
}

/// Writes a part of a file back and forgets it, so that a long write neither fills the page cache nor ends in a long sync.
static inline int linux_write_back(int descriptor, int64_t offset, int64_t length) {
    int result = (int)syscall(SYS_sync_file_range, descriptor, offset, length, 7U /* wait before, write, wait after */);
    if (result == 0) posix_fadvise(descriptor, offset, length, POSIX_FADV_DONTNEED);
    return result;
}

// MARK: inotify

static inline int linux_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

/// Watches the directory behind a descriptor, without looking its name up again.
static inline int linux_inotify_add(int inotify, int directory, uint32_t mask) {
    char path[32];
    linux_descriptor_path(path, directory);
    return inotify_add_watch(inotify, path, mask);
}

/// A file in memory, without a name.
static inline int linux_memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */); }
