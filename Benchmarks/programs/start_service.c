// SPDX-License-Identifier: LGPL-2.1-or-later
// start_service ADDRESS NAME COMMAND...: starts a service, prints the milliseconds until it owns its name, and ends it.
#define WITH_BUS
#include "bench.h"

static int is_owned;

static int on_owner_changed(sd_bus_message *signal, void *data, sd_bus_error *error) {
    (void)data, (void)error;
    const char *name, *before, *after;
    bus_done(sd_bus_message_read(signal, "sss", &name, &before, &after), "NameOwnerChanged");
    is_owned = *after != '\0';
    return 0;
}

int main(int count, char **arguments) {
    if (count < 4) give_up("start_service ADDRESS NAME COMMAND...", 0);
    sd_bus *bus = connect_to(arguments[1]);
    char match[512];
    snprintf(match, sizeof match, "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'", arguments[2]);
    bus_done(sd_bus_add_match(bus, NULL, match, on_owner_changed, NULL), "a match");
    double start = seconds_now();
    pid_t child = start_child(arguments + 3);
    while (!is_owned && seconds_now() < start + 20)
        if (bus_done(sd_bus_process(bus, NULL), "the bus") == 0) bus_done(sd_bus_wait(bus, 1000000), "the bus");
    double taken = seconds_now() - start;
    stop_child(child);
    if (!is_owned) give_up(arguments[2], ETIMEDOUT);
    printf("%.3f\n", taken * 1e3);
}
