// SPDX-License-Identifier: LGPL-2.1-or-later
// call_latency ADDRESS SERVICE PATH INTERFACE [PROPERTY]: calls Properties.Get, or GetAll without PROPERTY, and prints
// "P50 P99 RATE": microseconds of 1,500 calls one after another; calls a second with 64 on the way, for half a second.
#define WITH_BUS
#include "bench.h"

enum { warm_up = 100, calls = 1500, depth = 64 };

struct target {
    sd_bus *bus;
    const char *service, *path, *interface, *property;
};

static sd_bus_message *properties_call(const struct target *target) {
    sd_bus_message *call = new_call(
        target->bus, target->service, target->path, "org.freedesktop.DBus.Properties", target->property ? "Get" : "GetAll");
    bus_done(sd_bus_message_append(call, "s", target->interface), "a call");
    if (target->property) bus_done(sd_bus_message_append(call, "s", target->property), "a call");
    return call;
}

static void one_after_another(const struct target *target) {
    double *taken = calloc(calls, sizeof *taken);
    for (int i = -warm_up; i < calls; i++) {
        double start = seconds_now();
        sd_bus_message *reply = reply_to(target->bus, properties_call(target));
        if (i >= 0) taken[i] = seconds_now() - start;
        sd_bus_message_unref(reply);
    }
    sort_doubles(taken, calls);
    printf("%.2f %.2f", taken[calls / 2] * 1e6, taken[calls * 99 / 100] * 1e6);
    free(taken);
}

static int on_the_way;
static long answered;

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *error) {
    (void)data, (void)error;
    if (sd_bus_message_is_method_error(reply, NULL)) give_up(sd_bus_message_get_error(reply)->message, 0);
    on_the_way--;
    answered++;
    return 0;
}

static void many_at_once(const struct target *target) {
    double start = seconds_now(), end = start + 0.5;
    for (;;) {
        int goes_on = seconds_now() < end;
        if (!goes_on && on_the_way == 0) break;
        while (goes_on && on_the_way < depth) {
            sd_bus_message *call = properties_call(target);
            bus_done(sd_bus_call_async(target->bus, NULL, call, on_reply, NULL, 0), "a call");
            sd_bus_message_unref(call);
            on_the_way++;
        }
        int result;
        while ((result = bus_done(sd_bus_process(target->bus, NULL), "the bus")) > 0 && on_the_way > depth / 2) continue;
        if (result == 0) bus_done(sd_bus_wait(target->bus, UINT64_MAX), "the bus");
    }
    printf(" %.0f\n", (double)answered / (seconds_now() - start));
}

int main(int count, char **arguments) {
    if (count < 5) give_up("call_latency ADDRESS SERVICE PATH INTERFACE [PROPERTY]", 0);
    struct target target = {connect_to(arguments[1]), arguments[2], arguments[3], arguments[4], count > 5 ? arguments[5] : NULL};
    one_after_another(&target);
    many_at_once(&target);
}
