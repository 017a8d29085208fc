// SPDX-License-Identifier: LGPL-2.1-or-later
// bus_pairs ADDRESS cistern|libvirt-dbus POOL CLIENTS SECONDS: prints how many sparse raw volumes of 1 MiB a second are created and
// deleted again over D-Bus, by clients with a connection each.
#define WITH_BUS
#include "pairs.h"

static const char *address, *pool;

static void *connect_client(void) { return connect_to(address); }

/// The object path that a reply begins with.
static char *path_in(sd_bus_message *reply) {
    const char *path;
    bus_done(sd_bus_message_read(reply, "o", &path), "a path");
    char *copy = strdup(path);
    sd_bus_message_unref(reply);
    return copy;
}

static void cistern_pair(void *bus, const char *name) {
    sd_bus_message *call = new_call(bus, "org.cistern1", pool, "org.cistern1.Pool", "CreateVolume");
    bus_done(sd_bus_message_append(call, "sta{sv}", name, (uint64_t)1 << 20, 1, "wait", "b", 1), "CreateVolume");
    char *volume = path_in(reply_to(bus, call));
    call = new_call(bus, "org.cistern1", volume, "org.cistern1.Volume", "Delete");
    bus_done(sd_bus_message_append(call, "a{sv}", 1, "wait", "b", 1), "Delete");
    sd_bus_message_unref(reply_to(bus, call));
    free(volume);
}

static void libvirt_pair(void *bus, const char *name) {
    char xml[512];
    snprintf(xml, sizeof xml, "<volume><name>%s</name><capacity>1048576</capacity><allocation>0</allocation></volume>", name);
    sd_bus_message *call = new_call(bus, "org.libvirt", pool, "org.libvirt.StoragePool", "StorageVolCreateXML");
    bus_done(sd_bus_message_append(call, "su", xml, 0), "StorageVolCreateXML");
    char *volume = path_in(reply_to(bus, call));
    call = new_call(bus, "org.libvirt", volume, "org.libvirt.StorageVol", "Delete");
    bus_done(sd_bus_message_append(call, "u", 0), "Delete");
    sd_bus_message_unref(reply_to(bus, call));
    free(volume);
}

int main(int count, char **arguments) {
    if (count < 6) give_up("bus_pairs ADDRESS cistern|libvirt-dbus POOL CLIENTS SECONDS", 0);
    address = arguments[1];
    pool = arguments[3];
    const struct pair_maker maker = {connect_client, strcmp(arguments[2], "cistern") == 0 ? cistern_pair : libvirt_pair};
    printf("%.1f\n", pairs_per_second(&maker, atoi(arguments[4]), atof(arguments[5])));
}
