// SPDX-License-Identifier: LGPL-2.1-or-later
// Processes and threads: starting a program safely from a program with many threads, pidfds, thread names.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

extern int pthread_setname_np(pthread_t thread, const char *name);

/// What a new process gets. Everything is made before the fork, so that nothing is allocated after it.
struct linux_spawn {
    const char *program;     // absolute path
    char *const *arguments;  // ends with NULL
    char *const *environment;
    int input, output, errors;  // become descriptors 0, 1 and 2
    int status;  // close-on-exec; the errno of what failed is written here as an int
};

/// The child's side, after the fork: only async-signal-safe calls. Never returns.
static inline void linux_spawn_child(const struct linux_spawn *spawn, pid_t parent) {
    int failure = 0, status = -1, standard[3] = {spawn->input, spawn->output, spawn->errors};
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) goto fail;
    if (getppid() != parent) _exit(127);  // it died before the line above
    for (int number = 1; number < 65; number++) {
        struct sigaction standing = {0};
        standing.sa_handler = SIG_DFL;
        sigaction(number, &standing, NULL);  // fails for KILL, STOP and libc's own: as it should be
    }
    // Out of the way of 0, 1 and 2 first, in case one of them was closed in the parent.
    if ((status = fcntl(spawn->status, F_DUPFD_CLOEXEC, 3)) < 0) goto fail;
    for (int index = 0; index < 3; index++)
        if ((standard[index] = fcntl(standard[index], F_DUPFD_CLOEXEC, 3)) < 0) goto fail;
    for (int index = 0; index < 3; index++)
        if (dup2(standard[index], index) < 0) goto fail;
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(spawn->program, spawn->arguments, spawn->environment);
fail:
    failure = errno;
    if (write(status < 0 ? spawn->status : status, &failure, sizeof failure) < 0) _exit(126);
    _exit(127);
}

/// Starts a program in a process group of its own, which the kernel kills when the *calling thread* ends.
/// Answers its pid, or a negative errno.
static inline pid_t linux_spawn(const struct linux_spawn *spawn) {
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours may run in the child
    pid_t child = fork();
    if (child == 0) linux_spawn_child(spawn, parent);
    int failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0) return -failure;
    setpgid(child, child);  // whoever is first; fails after the exec, when it is done already
    return child;
}

/// A close-on-exec descriptor that becomes readable when the process ends, or -1 and errno.
static inline int linux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0U); }

/// How a child ended: waits for nothing, reaps. 1 if it ended, 0 if not yet, -1 and errno.
static inline int linux_reap(int pidfd, int *code, int *number) {
    siginfo_t info;
    info.si_pid = 0;
    if (waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_code == CLD_EXITED ? info.si_status : 0;
    *number = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 1;
}

/// pipe2, which glibc shows to _GNU_SOURCE alone: close-on-exec, the reading end non-blocking. 0, or -1 and errno.
static inline int linux_pipe(int ends[2]) {
    if (syscall(SYS_pipe2, ends, O_CLOEXEC) < 0) return -1;
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

/// Starts a detached thread on which every signal is blocked. 0, or an errno.
static inline int linux_thread(void *(*body)(void *), void *argument) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) return failure;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

/// Waits, without a limit, until `linux_futex_wake`; returns at once if the word is no longer `expected`. May return for no reason.
static inline void linux_futex_wait(void *word, unsigned expected) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL); }

/// Wakes one thread that waits at the word.
static inline void linux_futex_wake(void *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1); }

/// Names the calling thread for ps and debuggers; at most 15 bytes.
static inline void linux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

/// Changes the effective user of the calling thread alone (glibc would change all threads), back to root with 0: a connection made
/// meanwhile is that user's. Only root can; -1 and errno otherwise.
static inline int linux_thread_user(uid_t user) { return (int)syscall(SYS_setresuid, (uid_t)-1, user, (uid_t)-1); }
