// SPDX-License-Identifier: LGPL-2.1-or-later
// timed_call ADDRESS SERVICE PATH INTERFACE METHOD wait|flags|none: calls a method and prints the milliseconds until its reply.
// The argument is `wait` = true among options, flags of 0, or none.
#define WITH_BUS
#include "bench.h"

int main(int count, char **arguments) {
    if (count < 7) give_up("timed_call ADDRESS SERVICE PATH INTERFACE METHOD wait|flags|none", 0);
    sd_bus *bus = connect_to(arguments[1]);
    sd_bus_message *call = new_call(bus, arguments[2], arguments[3], arguments[4], arguments[5]);
    if (strcmp(arguments[6], "wait") == 0) bus_done(sd_bus_message_append(call, "a{sv}", 1, "wait", "b", 1), "options");
    if (strcmp(arguments[6], "flags") == 0) bus_done(sd_bus_message_append(call, "u", 0), "flags");
    const char *own_name;
    bus_done(sd_bus_get_unique_name(bus, &own_name), "the bus"); // the connection is made by now
    double start = seconds_now();
    reply_to(bus, call);
    printf("%.3f\n", (seconds_now() - start) * 1e3);
}
