// SPDX-License-Identifier: LGPL-2.1-or-later
// The Swift runtime's hook for work that is on no executor of the program's own (swift/Runtime/Concurrency.h in the toolchain's
// sources). It has Swift's calling convention, which Swift itself cannot spell for pointers to functions.
#pragma once

#define LINUX_SWIFTCALL __attribute__((swiftcall))

/// Gets the work; EventLoop defines it. A job is the runtime's `Job *`, to be run once, by `linux_job_run`.
extern void cistern_take_job(void *job);

struct linux_executor { void *identity, *implementation; };

extern LINUX_SWIFTCALL void swift_job_run(void *job, struct linux_executor executor);
extern LINUX_SWIFTCALL void (*swift_task_enqueueGlobal_hook)(void *job, void *original);

static LINUX_SWIFTCALL inline void linux_job_hook(void *job, void *original) {
    (void)original;
    cistern_take_job(job);
}

/// From now on `cistern_take_job` gets the process's work that is on no executor. To be called once, before there is any.
static inline void linux_take_jobs(void) { swift_task_enqueueGlobal_hook = linux_job_hook; }

/// Runs a job on the calling thread, as one of no executor.
static inline void linux_job_run(void *job) {
    struct linux_executor none = {0, 0};
    swift_job_run(job, none);
}
