// SPDX-License-Identifier: LGPL-2.1-or-later
// floor_service ADDRESS NAME [SERVICE POOL INTERFACE VOLUMES COUNT]: a bare sd-bus service, the least work that could answer.
//
// With SERVICE it asks that service once for the properties of POOL and for the objects below VOLUMES, and answers from memory what
// has the same shape and size: /floor/pool has the pool's properties (floor.Pool); /floor/volumes (floor.Volumes) has
//   Objects()               -> a{oa{sa{sv}}}   COUNT times the first volume, each under a path of its own
//   List(u first, u count)  -> a(ssstts)       name, path, key, capacity, allocation, format
#define WITH_BUS
#include "bench.h"

// ---- a recorded value: the calls that append it to a message again ----

enum step_kind { step_open, step_close, step_append };

struct step {
    enum step_kind kind;
    char type;
    union {
        uint64_t number; // as the bytes of any fixed type
        char *text;      // of a string-like type, or the contents of what is opened
    } value;
};

struct steps {
    struct step *all;
    size_t count;
};

static int is_text(char type) { return type == 's' || type == 'o' || type == 'g'; }

static struct step *add_step(struct steps *steps, enum step_kind kind, char type) {
    steps->all = realloc(steps->all, (steps->count + 1) * sizeof *steps->all);
    if (!steps->all) give_up("memory", ENOMEM);
    struct step *step = &steps->all[steps->count++];
    *step = (struct step){.kind = kind, .type = type};
    return step;
}

/// Adds everything up to the end of the container that the message is in.
static void record(struct steps *steps, sd_bus_message *message) {
    const char *contents;
    char type;
    while (bus_done(sd_bus_message_peek_type(message, &type, &contents), "a reply") > 0) {
        if (contents) {
            add_step(steps, step_open, type)->value.text = strdup(contents);
            bus_done(sd_bus_message_enter_container(message, type, contents), "a container");
            record(steps, message);
            bus_done(sd_bus_message_exit_container(message), "a container");
            add_step(steps, step_close, type);
        } else if (is_text(type)) {
            const char *text;
            bus_done(sd_bus_message_read_basic(message, type, &text), "a string");
            add_step(steps, step_append, type)->value.text = strdup(text);
        } else {
            struct step *step = add_step(steps, step_append, type);
            bus_done(sd_bus_message_read_basic(message, type, &step->value.number), "a number");
        }
    }
}

static int replay(const struct steps *steps, sd_bus_message *message) {
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->all[i];
        int result = step->kind == step_open ? sd_bus_message_open_container(message, step->type, step->value.text)
            : step->kind == step_close ? sd_bus_message_close_container(message)
            : sd_bus_message_append_basic(message, step->type, is_text(step->type) ? step->value.text : (const void *)&step->value);
        if (result < 0) return result;
    }
    return 0;
}

/// The value of a property within recorded `{sv}` entries.
static const struct step *property_value(const struct steps *steps, const char *name) {
    for (size_t i = 0; i + 2 < steps->count; i++) {
        const struct step *key = &steps->all[i];
        if (key->kind == step_append && key->type == 's' && strcmp(key->value.text, name) == 0 && key[1].kind == step_open) return key + 2;
    }
    give_up(name, ENOENT);
}

// ---- the pool ----

struct property {
    char *name, *signature;
    struct steps value;
};

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *reply, void *data,
                        sd_bus_error *error) {
    (void)bus, (void)path, (void)interface, (void)name, (void)error;
    return replay(&((struct property *)data)->value, reply);
}

/// The properties of a `GetAll` reply.
static struct property *record_properties(sd_bus_message *reply, size_t *count) {
    struct property *properties = NULL;
    bus_done(sd_bus_message_enter_container(reply, 'a', "{sv}"), "properties");
    while (bus_done(sd_bus_message_enter_container(reply, 'e', "sv"), "a property") > 0) {
        const char *name, *signature;
        properties = realloc(properties, (*count + 1) * sizeof *properties);
        if (!properties) give_up("memory", ENOMEM);
        struct property *property = &properties[(*count)++];
        bus_done(sd_bus_message_read_basic(reply, 's', &name), "a property");
        bus_done(sd_bus_message_peek_type(reply, NULL, &signature), name);
        *property = (struct property){.name = strdup(name), .signature = strdup(signature)};
        bus_done(sd_bus_message_enter_container(reply, 'v', signature), name);
        record(&property->value, reply);
        bus_done(sd_bus_message_exit_container(reply), name);
        bus_done(sd_bus_message_exit_container(reply), name);
    }
    return properties;
}

static void serve_pool(sd_bus *bus, const char *service, const char *pool, const char *interface) {
    sd_bus_message *call = new_call(bus, service, pool, "org.freedesktop.DBus.Properties", "GetAll");
    bus_done(sd_bus_message_append(call, "s", interface), "GetAll");
    size_t count = 0;
    struct property *properties = record_properties(reply_to(bus, call), &count);
    sd_bus_vtable *table = calloc(count + 2, sizeof *table);
    table[0] = (sd_bus_vtable)SD_BUS_VTABLE_START(0);
    for (size_t i = 0; i < count; i++)
        table[i + 1] = (sd_bus_vtable)SD_BUS_PROPERTY(properties[i].name, properties[i].signature, get_property, i * sizeof *properties, 0);
    table[count + 1] = (sd_bus_vtable)SD_BUS_VTABLE_END;
    bus_done(sd_bus_add_object_vtable(bus, NULL, "/floor/pool", "floor.Pool", table, properties), "/floor/pool");
}

// ---- the volumes ----

static struct steps volume; // the interfaces of one, as recorded
static char **paths;        // of all
static unsigned volume_count;

/// Replies with what `append` adds, and with nothing else.
static int reply_with(sd_bus_message *call, int (*append)(sd_bus_message *reply, unsigned first, unsigned count), unsigned first, unsigned count) {
    sd_bus_message *reply = NULL;
    int result = sd_bus_message_new_method_return(call, &reply);
    if (result >= 0) result = append(reply, first, count);
    if (result >= 0) result = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return result;
}

static int append_objects(sd_bus_message *reply, unsigned first, unsigned count) {
    sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}");
    for (unsigned i = first; i < first + count; i++) {
        sd_bus_message_open_container(reply, 'e', "oa{sa{sv}}");
        sd_bus_message_append_basic(reply, 'o', paths[i]);
        int result = replay(&volume, reply);
        if (result < 0) return result;
        sd_bus_message_close_container(reply);
    }
    return sd_bus_message_close_container(reply);
}

static int append_list(sd_bus_message *reply, unsigned first, unsigned count) {
    static const struct { const char *name; char type; } columns[] = {
        {"Name", 's'}, {"Path", 's'}, {"Key", 's'}, {"Capacity", 't'}, {"Allocation", 't'}, {"Format", 's'}};
    const void *values[6];
    for (size_t i = 0; i < 6; i++) {
        const struct step *value = property_value(&volume, columns[i].name);
        values[i] = columns[i].type == 's' ? value->value.text : (const void *)&value->value.number;
    }
    sd_bus_message_open_container(reply, 'a', "(ssstts)");
    for (unsigned i = first; i < first + count; i++) {
        sd_bus_message_open_container(reply, 'r', "ssstts");
        for (size_t column = 0; column < 6; column++) sd_bus_message_append_basic(reply, columns[column].type, values[column]);
        int result = sd_bus_message_close_container(reply);
        if (result < 0) return result;
    }
    return sd_bus_message_close_container(reply);
}

static int objects(sd_bus_message *call, void *data, sd_bus_error *error) {
    (void)data, (void)error;
    return reply_with(call, append_objects, 0, volume_count);
}

static int list(sd_bus_message *call, void *data, sd_bus_error *error) {
    (void)data, (void)error;
    unsigned first, count;
    int result = sd_bus_message_read(call, "uu", &first, &count);
    if (result < 0) return result;
    if (first > volume_count || count > volume_count - first) return -ERANGE;
    return reply_with(call, append_list, first, count);
}

static const sd_bus_vtable volumes_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Objects", "", "a{oa{sa{sv}}}", objects, 0),
    SD_BUS_METHOD("List", "uu", "a(ssstts)", list, 0),
    SD_BUS_VTABLE_END,
};

/// Paths as long as the one that was recorded.
static void make_paths(const char *path) {
    size_t length = strlen(path);
    if (length < 6) give_up("the path of a volume is too short", 0);
    paths = calloc(volume_count, sizeof *paths);
    for (unsigned i = 0; i < volume_count; i++) {
        paths[i] = strdup(path);
        snprintf(paths[i] + length - 6, 7, "%06u", i % 1000000);
    }
}

static void serve_volumes(sd_bus *bus, const char *service, const char *below) {
    sd_bus_message *reply = reply_to(bus, new_call(bus, service, below, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"));
    const char *path;
    bus_done(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), "volumes");
    if (bus_done(sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}"), "a volume") == 0) give_up("there is no volume to imitate", 0);
    bus_done(sd_bus_message_read_basic(reply, 'o', &path), "a volume");
    record(&volume, reply);
    make_paths(path);
    sd_bus_message_unref(reply);
    bus_done(sd_bus_add_object_vtable(bus, NULL, "/floor/volumes", "floor.Volumes", volumes_table, NULL), "/floor/volumes");
}

int main(int count, char **arguments) {
    if (count != 3 && count != 8) give_up("floor_service ADDRESS NAME [SERVICE POOL INTERFACE VOLUMES COUNT]", 0);
    sd_bus *bus = connect_to(arguments[1]);
    if (count == 8) {
        volume_count = (unsigned)atoi(arguments[7]);
        serve_pool(bus, arguments[3], arguments[4], arguments[5]);
        if (volume_count) serve_volumes(bus, arguments[3], arguments[6]);
    }
    bus_done(sd_bus_request_name(bus, arguments[2], 0), arguments[2]);
    for (;;) {
        if (bus_done(sd_bus_process(bus, NULL), "the bus") == 0) bus_done(sd_bus_wait(bus, UINT64_MAX), "the bus");
    }
}
