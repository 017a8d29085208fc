// SPDX-License-Identifier: LGPL-2.1-or-later
// What Bus and EventLoop use of libsystemd, and the few glibc calls they need that Swift's Glibc module hides.
// Only non-variadic functions are called from Swift; none of the macros is needed, so there is nothing to wrap.
#pragma once
#include <malloc.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

// _GNU_SOURCE only, hence not visible to Swift.
extern int pthread_setname_np(pthread_t thread, const char *name);
