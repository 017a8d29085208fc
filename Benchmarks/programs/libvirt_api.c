// SPDX-License-Identifier: LGPL-2.1-or-later
// What a client of libvirt's own API does, over its socket.
//   libvirt_api define POOL DIRECTORY     start POOL | stop POOL | refresh POOL   prints milliseconds
//               list POOL                 all volumes with their XML; prints "MILLISECONDS COUNT"
//               pairs POOL CLIENTS SECONDS    create and delete a sparse raw volume of 1 MiB; prints pairs a second
//               forget                    stops and undefines all pools
//               answer                    waits until the daemon answers
//               launch SOCKET COMMAND...      starts the daemon, prints milliseconds until it answers, ends it
#include "pairs.h"
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

static const char *pool_name;

__attribute__((noreturn)) static void libvirt_failed(const char *what) {
    virErrorPtr error = virGetLastError();
    fprintf(stderr, "libvirt_api: %s: %s\n", what, error ? error->message : "failed");
    exit(1);
}

static void no_messages(void *data, virErrorPtr error) { (void)data, (void)error; }

static void *connect_client(void) {
    virConnectPtr connection = virConnectOpen("qemu:///system");
    if (!connection) libvirt_failed("virConnectOpen");
    return connection;
}

static virStoragePoolPtr find_pool(virConnectPtr connection, const char *name) {
    virStoragePoolPtr pool = virStoragePoolLookupByName(connection, name);
    if (!pool) libvirt_failed(name);
    return pool;
}

static void define(virConnectPtr connection, const char *name, const char *directory) {
    char xml[8192];
    snprintf(xml, sizeof xml, "<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>", name, directory);
    if (!virStoragePoolDefineXML(connection, xml, 0)) libvirt_failed(name);
}

static void print_since(double start) { printf("%.3f\n", (seconds_now() - start) * 1e3); }

static void change(virConnectPtr connection, const char *what, const char *name) {
    virStoragePoolPtr pool = find_pool(connection, name);
    double start = seconds_now();
    int result = strcmp(what, "start") == 0 ? virStoragePoolCreate(pool, 0)
        : strcmp(what, "stop") == 0 ? virStoragePoolDestroy(pool)
        : virStoragePoolRefresh(pool, 0);
    if (result < 0) libvirt_failed(what);
    print_since(start);
}

static void forget(virConnectPtr connection) {
    virStoragePoolPtr *pools;
    int count = virConnectListAllStoragePools(connection, &pools, 0);
    for (int i = 0; i < count; i++) {
        if (virStoragePoolIsActive(pools[i]) == 1 && virStoragePoolDestroy(pools[i]) < 0) libvirt_failed("virStoragePoolDestroy");
        if (virStoragePoolUndefine(pools[i]) < 0) libvirt_failed("virStoragePoolUndefine");
    }
}

static void list(virConnectPtr connection, const char *name) {
    virStoragePoolPtr pool = find_pool(connection, name);
    virStorageVolPtr *volumes;
    double start = seconds_now();
    int count = virStoragePoolListAllVolumes(pool, &volumes, 0);
    if (count < 0) libvirt_failed("virStoragePoolListAllVolumes");
    for (int i = 0; i < count; i++) {
        char *xml = virStorageVolGetXMLDesc(volumes[i], 0);
        if (!xml) libvirt_failed("virStorageVolGetXMLDesc");
        free(xml);
    }
    printf("%.3f %d\n", (seconds_now() - start) * 1e3, count);
}

static void make_pair(void *client, const char *name) {
    static __thread virStoragePoolPtr pool;
    if (!pool) pool = find_pool(client, pool_name);
    char xml[512];
    snprintf(xml, sizeof xml, "<volume><name>%s</name><capacity>1048576</capacity><allocation>0</allocation></volume>", name);
    virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);
    if (!volume || virStorageVolDelete(volume, 0) < 0) libvirt_failed(name);
    virStorageVolFree(volume);
}

/// Waits until the daemon answers; its socket is there before it does.
static void await_answer(double seconds) {
    double end = seconds_now() + seconds;
    virConnectPtr connection;
    while (!(connection = virConnectOpen("qemu:///system"))) {
        if (seconds_now() > end) libvirt_failed("virConnectOpen");
        usleep(500);
    }
    virConnectClose(connection);
}

static void launch(const char *socket, char **command) {
    double start = seconds_now();
    pid_t child = start_child(command);
    while (access(socket, F_OK) < 0 && seconds_now() < start + 20) usleep(500);
    await_answer(20);
    print_since(start);
    stop_child(child);
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    pool_name = count > 2 ? arguments[2] : NULL;
    virSetErrorFunc(NULL, no_messages);
    if (virInitialize() < 0) libvirt_failed("virInitialize");
    const struct pair_maker maker = {connect_client, make_pair};
    if (strcmp(what, "answer") == 0) await_answer(20);
    else if (strcmp(what, "forget") == 0) forget(connect_client());
    else if (strcmp(what, "launch") == 0 && count > 3) launch(arguments[2], arguments + 3);
    else if (strcmp(what, "define") == 0 && count > 3) define(connect_client(), pool_name, arguments[3]);
    else if (strcmp(what, "list") == 0 && count > 2) list(connect_client(), pool_name);
    else if (strcmp(what, "pairs") == 0 && count > 4) printf("%.1f\n", pairs_per_second(&maker, atoi(arguments[3]), atof(arguments[4])));
    else if (count > 2) change(connect_client(), what, pool_name);
    else give_up("see the head of libvirt_api.c", 0);
}
