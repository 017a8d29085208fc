// SPDX-License-Identifier: LGPL-2.1-or-later
// list_volumes ADDRESS cistern POOL            ListVolumes with six fields, page after page
//              ADDRESS floor COUNT PAGE        the same values from floor_service, COUNT of them in pages
//              ADDRESS objects SERVICE PATH INTERFACE METHOD    all objects in one call
//              ADDRESS libvirt-dbus POOL       ListStorageVolumes, then GetXMLDesc of each, 32 on the way
// Prints "MILLISECONDS COUNT CALLS": until the last reply is there; what a client then reads in it is not counted.
#define WITH_BUS
#include "bench.h"

static sd_bus *bus;
static int listed, calls;
static double waited;

/// The reply, with the time it took.
static sd_bus_message *timed_reply(sd_bus_message *call) {
    double start = seconds_now();
    sd_bus_message *reply = reply_to(bus, call);
    waited += seconds_now() - start;
    calls++;
    return reply;
}

static sd_bus_message *list_call(const char *pool, const char *after) {
    sd_bus_message *call = new_call(bus, "org.cistern1", "/org/cistern1", "org.cistern1.Manager", "ListVolumes");
    bus_done(sd_bus_message_append(call, "a{sv}", 1, "Pool", "o", pool), "a filter");
    bus_done(sd_bus_message_append(call, "a{sv}", *after ? 2 : 1, "fields", "as", 6, "Name", "Path", "Key", "Capacity", "Allocation", "Format",
                                   "after", "s", after), "options");
    return call;
}

static void list_cistern(const char *pool) {
    char *after = strdup("");
    do {
        const char *next;
        sd_bus_message *reply = timed_reply(list_call(pool, after));
        listed += count_elements(reply);
        bus_done(sd_bus_message_read(reply, "s", &next), "the next page");
        free(after);
        after = strdup(next);
        sd_bus_message_unref(reply);
    } while (*after);
    free(after);
}

static void list_floor(unsigned count, unsigned page) {
    for (unsigned first = 0; first < count; first += page) {
        sd_bus_message *call = new_call(bus, "floor.Service", "/floor/volumes", "floor.Volumes", "List");
        bus_done(sd_bus_message_append(call, "uu", first, count - first < page ? count - first : page), "a page");
        sd_bus_message *reply = timed_reply(call);
        listed += count_elements(reply);
        sd_bus_message_unref(reply);
    }
}

static void list_objects(const char *service, const char *path, const char *interface, const char *method) {
    sd_bus_message *reply = timed_reply(new_call(bus, service, path, interface, method));
    listed = count_elements(reply);
    sd_bus_message_unref(reply);
}

static int on_the_way;

static int on_description(sd_bus_message *reply, void *data, sd_bus_error *error) {
    (void)data, (void)error;
    if (sd_bus_message_is_method_error(reply, NULL)) give_up(sd_bus_message_get_error(reply)->message, 0);
    on_the_way--;
    listed++;
    return 0;
}

static void describe_volumes(char **volumes) {
    while (*volumes || on_the_way) {
        for (; *volumes && on_the_way < 32; volumes++, calls++, on_the_way++)
            bus_done(sd_bus_call_method_async(bus, NULL, "org.libvirt", *volumes, "org.libvirt.StorageVol", "GetXMLDesc", on_description,
                                              NULL, "u", 0), "GetXMLDesc");
        if (bus_done(sd_bus_process(bus, NULL), "the bus") == 0) bus_done(sd_bus_wait(bus, UINT64_MAX), "the bus");
    }
}

static void list_libvirt_dbus(const char *pool) {
    char **volumes = NULL;
    sd_bus_message *call = new_call(bus, "org.libvirt", pool, "org.libvirt.StoragePool", "ListStorageVolumes");
    bus_done(sd_bus_message_append(call, "u", 0), "flags");
    double start = seconds_now();
    sd_bus_message *reply = reply_to(bus, call);
    calls++;
    bus_done(sd_bus_message_enter_container(reply, 'a', "o"), "volumes");
    const char *path;
    size_t count = 0;
    while (bus_done(sd_bus_message_read_basic(reply, 'o', &path), "a volume") > 0) {
        volumes = realloc(volumes, (count + 2) * sizeof *volumes);
        volumes[count++] = strdup(path);
        volumes[count] = NULL;
    }
    if (volumes) describe_volumes(volumes);
    waited = seconds_now() - start;
}

int main(int count, char **arguments) {
    const char *kind = count > 3 ? arguments[2] : "";
    if (count > 3) bus = connect_to(arguments[1]);
    const char *own_name;
    if (bus) bus_done(sd_bus_get_unique_name(bus, &own_name), "the bus"); // the connection is made by now
    if (strcmp(kind, "cistern") == 0) list_cistern(arguments[3]);
    else if (strcmp(kind, "floor") == 0 && count > 4) list_floor((unsigned)atoi(arguments[3]), (unsigned)atoi(arguments[4]));
    else if (strcmp(kind, "objects") == 0 && count > 6) list_objects(arguments[3], arguments[4], arguments[5], arguments[6]);
    else if (strcmp(kind, "libvirt-dbus") == 0) list_libvirt_dbus(arguments[3]);
    else give_up("list_volumes ADDRESS cistern|floor|objects|libvirt-dbus ARGUMENT...", 0);
    printf("%.3f %d %d\n", waited * 1e3, listed, calls);
}
