// SPDX-License-Identifier: LGPL-2.1-or-later
// Clients that create and delete as fast as they can, each in a thread of its own, for a given time.
#pragma once

#include "bench.h"
#include <pthread.h>

/// What one kind of client does.
struct pair_maker {
    void *(*connect)(void);
    void (*pair)(void *client, const char *name);
};

struct pair_client {
    const struct pair_maker *maker;
    pthread_barrier_t *barrier;
    double seconds;
    int number;
    long pairs;
};

static void *make_pairs(void *argument) {
    struct pair_client *client = argument;
    void *connection = client->maker->connect();
    pthread_barrier_wait(client->barrier);
    double end = seconds_now() + client->seconds;
    while (seconds_now() < end) {
        char name[64];
        snprintf(name, sizeof name, "pair-%d-%ld", client->number, client->pairs);
        client->maker->pair(connection, name);
        client->pairs++;
    }
    pthread_barrier_wait(client->barrier);
    return NULL;
}

/// Pairs a second of so many clients together; connecting is not counted.
static double pairs_per_second(const struct pair_maker *maker, int count, double seconds) {
    struct pair_client *clients = calloc((size_t)count, sizeof *clients);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        clients[i] = (struct pair_client){.maker = maker, .barrier = &barrier, .seconds = seconds, .number = i};
        int error = pthread_create(&threads[i], NULL, make_pairs, &clients[i]);
        if (error) give_up("a thread", error);
    }
    pthread_barrier_wait(&barrier);
    double start = seconds_now();
    pthread_barrier_wait(&barrier);
    double taken = seconds_now() - start;
    long pairs = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        pairs += clients[i].pairs;
    }
    return (double)pairs / taken;
}
