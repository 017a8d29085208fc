// SPDX-License-Identifier: LGPL-2.1-or-later
// What the programs of the benchmarks share: a clock, order statistics, an end for everything that goes wrong, a bus, a child.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static inline double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/// Ends the program with a sentence; `error` is an errno, or 0.
__attribute__((noreturn)) static inline void give_up(const char *what, int error) {
    fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, what, error ? ": " : "", error ? strerror(error) : "");
    exit(1);
}

/// The result of a system call; ends the program when it failed.
static inline int done(int result, const char *what) {
    if (result < 0) give_up(what, errno);
    return result;
}

static inline int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static inline void sort_doubles(double *values, size_t count) { qsort(values, count, sizeof *values, compare_doubles); }

/// Starts a program with its output thrown away.
static inline pid_t start_child(char **command) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int error = posix_spawnp(&child, command[0], &actions, NULL, command, environ);
    if (error) give_up(command[0], error);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static inline void stop_child(pid_t child) {
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

#ifdef WITH_BUS
#include <systemd/sd-bus.h>

/// The result of an sd-bus call; ends the program when it failed.
static inline int bus_done(int result, const char *what) {
    if (result < 0) give_up(what, -result);
    return result;
}

static inline sd_bus *connect_to(const char *address) {
    sd_bus *bus = NULL;
    bus_done(sd_bus_new(&bus), "a bus");
    bus_done(sd_bus_set_address(bus, address), address);
    bus_done(sd_bus_set_bus_client(bus, 1), address);
    bus_done(sd_bus_start(bus), address);
    sd_bus_set_method_call_timeout(bus, 600ull * 1000 * 1000);
    return bus;
}

/// A call's reply; ends the program with the error's message when it failed. Consumes the message.
static inline sd_bus_message *reply_to(sd_bus *bus, sd_bus_message *call) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    if (sd_bus_call(bus, call, 0, &error, &reply) < 0) give_up(error.message ? error.message : "a call failed", 0);
    sd_bus_message_unref(call);
    return reply;
}

static inline sd_bus_message *new_call(sd_bus *bus, const char *service, const char *path, const char *interface, const char *method) {
    sd_bus_message *call = NULL;
    bus_done(sd_bus_message_new_method_call(bus, &call, service, path, interface, method), method);
    return call;
}

/// How many elements the array has that comes next in a message; reads past it.
static inline int count_elements(sd_bus_message *message) {
    const char *contents;
    char type;
    int count = 0;
    bus_done(sd_bus_message_peek_type(message, &type, &contents), "an array");
    bus_done(sd_bus_message_enter_container(message, type, contents), "an array");
    while (bus_done(sd_bus_message_at_end(message, 0), "an array") == 0) {
        const char *element;
        bus_done(sd_bus_message_peek_type(message, &type, &element), "an element");
        char one[256];
        if (type == SD_BUS_TYPE_STRUCT) snprintf(one, sizeof one, "(%s)", element);
        else if (type == SD_BUS_TYPE_DICT_ENTRY) snprintf(one, sizeof one, "{%s}", element);
        else snprintf(one, sizeof one, "%c%s", type, element ? element : "");
        bus_done(sd_bus_message_skip(message, one), "an element");
        count++;
    }
    bus_done(sd_bus_message_exit_container(message), "an array");
    return count;
}
#endif
