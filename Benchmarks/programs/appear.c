// SPDX-License-Identifier: LGPL-2.1-or-later
// appear ADDRESS SERVICE VOLUMES DIRECTORY COUNT: creates files in a pool's directory, one after another, and prints for each the
// milliseconds until its InterfacesAdded is here. Each is removed again, and its InterfacesRemoved waited for.
#define WITH_BUS
#include "bench.h"

static const char *manager = "org.freedesktop.DBus.ObjectManager";
static char *expected; // the path of the object that is waited for
static int has_come;

static int on_signal(sd_bus_message *signal, void *data, sd_bus_error *error) {
    (void)data, (void)error;
    const char *path;
    bus_done(sd_bus_message_read(signal, "o", &path), "a signal");
    if (strcmp(path, expected) == 0) has_come = 1;
    return 0;
}

static void await_signal(sd_bus *bus, const char *what) {
    double end = seconds_now() + 10;
    while (!has_come) {
        if (seconds_now() > end) give_up(what, ETIMEDOUT);
        if (bus_done(sd_bus_process(bus, NULL), "the bus") == 0) bus_done(sd_bus_wait(bus, 1000000), "the bus");
    }
    has_come = 0;
}

static void create(int directory, const char *name) {
    int file = done(openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644), name);
    done(ftruncate(file, 1 << 20), name);
    close(file);
}

int main(int count, char **arguments) {
    if (count < 6) give_up("appear ADDRESS SERVICE VOLUMES DIRECTORY COUNT", 0);
    sd_bus *bus = connect_to(arguments[1]);
    expected = strdup("");
    bus_done(sd_bus_match_signal(bus, NULL, arguments[2], arguments[3], manager, "InterfacesAdded", on_signal, NULL), "a match");
    bus_done(sd_bus_match_signal(bus, NULL, arguments[2], arguments[3], manager, "InterfacesRemoved", on_signal, NULL), "a match");
    int directory = done(open(arguments[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC), arguments[4]);
    for (int i = 0; i < atoi(arguments[5]); i++) {
        char name[32];
        snprintf(name, sizeof name, "appeared-%d.img", i);
        bus_done(sd_bus_path_encode(arguments[3], name, &expected), name);
        double start = seconds_now();
        create(directory, name);
        await_signal(bus, "InterfacesAdded");
        printf("%.3f\n", (seconds_now() - start) * 1e3);
        done(unlinkat(directory, name, 0), name);
        await_signal(bus, "InterfacesRemoved");
    }
}
