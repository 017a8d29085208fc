# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# Sourced by the driver: starts and stops what is measured. One of each at most runs at a time.

programs=$here/.build/bench
libvirt_dbus_root=$programs/libvirt-dbus
libvirtd='' libvirt_dbus='' floor=''

# compile PROGRAM [LIBRARY...]: unless it is newer than its source.
compile() {
    local source=$benchmarks/programs/$1.c program=$programs/$1
    if [ "$program" -nt "$source" ] && [ "$program" -nt "$benchmarks/programs/bench.h" ] && [ "$program" -nt "$benchmarks/programs/pairs.h" ]; then
        return
    fi
    mkdir -p "$programs"
    gcc -O2 -Wall -Wextra -pthread -o "$program" "$source" "${@:2}" || fail "$source does not compile"
}

compile_programs() {
    local program
    for program in make_files floor_scan floor_pairs; do compile "$program"; done
    for program in floor_service call_latency timed_call list_volumes appear bus_pairs start_service; do compile "$program" -lsystemd; done
    ! may_run_libvirt || compile libvirt_api -lvirt
}

# ends PROCESS: asks it to, and waits until it has.
ends() {
    local process kept=()
    kill -TERM "$1"
    wait "$1" || true
    for process in "${processes[@]}"; do [ "$process" = "$1" ] || kept+=("$process"); done
    processes=("${kept[@]}")
}

is_on_bus() { busctl --address="$BUS" --quiet call org.freedesktop.DBus / org.freedesktop.DBus GetNameOwner s "$1" 2>/dev/null; }

# ---- ours ----

service=org.cistern1
daemon=

# A cisternd that knows nothing yet.
start_ours() {
    rm -rf "$scratch/config" "$scratch/state" "$scratch/run"
    start_cisternd
}

stop_ours() {
    ends "$daemon"
    daemon=
}

# define_ours NAME DIRECTORY: defines a pool; $pool is its path and $volumes where its volumes are.
define_ours() {
    pool=$(busctl --address="$BUS" -j call "$service" /org/cistern1 org.cistern1.Manager DefinePool 'ssa{sv}a{sv}' "$1" dir 1 target.path s "$2" 0 \
        | jq -r '.data[0]')
    volumes=/org/cistern1/volumes/${pool##*/}
}

# call_ours METHOD: calls a method of the pool and waits until all is done; prints how many milliseconds it took.
call_ours() { "$programs/timed_call" "$BUS" "$service" "$pool" org.cistern1.Pool "$1" wait; }

volume_count() { busctl --address="$BUS" -j get-property "$service" "$pool" org.cistern1.Pool VolumeCount | jq .data; }

# A cisternd with one active pool.
start_ours_with() {
    start_ours
    define_ours "$1" "$2"
    call_ours Start >"$scratch/output"
}

# Until cisternd has used no processor time for a while: what follows a reply (announcements) is over.
ours_is_quiet() {
    local before after
    before=$(cut -d' ' -f14,15 "/proc/$daemon/stat")
    sleep 0.3
    after=$(cut -d' ' -f14,15 "/proc/$daemon/stat")
    [ "$before" = "$after" ]
}
await_quiet() { until_true 30 ours_is_quiet || fail "cisternd is still busy after 30 s"; }

# ---- the floor ----

# start_floor [COUNT]: with COUNT it answers like $pool, and with so many volumes.
start_floor() {
    local like=()
    [ $# = 0 ] || like=("$service" "$pool" org.cistern1.Pool "$volumes" "$1")
    "$programs/floor_service" "$BUS" floor.Service "${like[@]}" 2>>"$scratch/floor.log" &
    floor=$!
    processes+=("$floor")
    until_true 20 is_on_bus floor.Service || fail "floor_service did not start: $(cat "$scratch/floor.log")"
}

stop_floor() { ends "$floor"; }

# ---- libvirt ----

# In namespaces of its own the whole run has, of the directories that libvirtd writes to, copies in memory.
enter_namespace() {
    if [ "$(id -u)" != 0 ] || [ -n "${CISTERN_BENCH_PRIVATE:-}" ]; then return 0; fi
    if ! unshare --mount --net true 2>/dev/null; then return 0; fi
    CISTERN_BENCH_PRIVATE=1 exec unshare --mount --net --propagation private "$@"
}

# mounts TYPE OPTIONS DIRECTORY
mounts() { mount -t "$1" -o "$2" bench "$3" || fail "no private $3: mount -t $1 failed"; }

make_private_directories() {
    local memory=$scratch/memory directory name
    mkdir "$memory"
    mounts tmpfs mode=0755 "$memory"
    for directory in /etc /var/lib /var/cache /var/log; do
        name=${directory//\//-}
        mkdir "$memory/upper$name" "$memory/work$name"
        mounts overlay "lowerdir=$directory,upperdir=$memory/upper$name,workdir=$memory/work$name" "$directory"
        mkdir -p "$directory/libvirt"
        mounts tmpfs mode=0755 "$directory/libvirt"
    done
    mounts tmpfs mode=0755 /run
    # libvirtd does not start without the user that its package makes.
    getent passwd libvirt-qemu >"$scratch/output" || echo libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin >>/etc/passwd
    getent group libvirt-qemu >"$scratch/output" || echo libvirt-qemu:x:64055: >>/etc/group
    # Those mounts keep it; $scratch must be free to go.
    umount --lazy "$memory"
    rmdir "$memory"
}

# Why there are no rows of libvirt; empty when there are.
why_no_libvirt() {
    if [ "$(id -u)" != 0 ]; then echo "only root can run it"
    elif [ -z "${CISTERN_BENCH_PRIVATE:-}" ]; then echo "this machine allows no namespace of its own (unshare)"
    elif ! command -v libvirtd >/dev/null || [ ! -e /usr/include/libvirt/libvirt.h ]; then echo "it is not installed; Benchmarks/packages installs it"
    fi
}
may_run_libvirt() { [ -z "$(why_no_libvirt)" ]; }
may_run_libvirt_dbus() { may_run_libvirt && [ -x "$libvirt_dbus_root/usr/sbin/libvirt-dbus" ]; }

libvirt_api() { "$programs/libvirt_api" "$@"; }

libvirtd_command() {
    cat >"$scratch/libvirtd.conf" <<END
auth_unix_rw = "none"
auth_unix_ro = "none"
log_level = 3
log_outputs = "3:file:$scratch/libvirtd.log"
END
    command=(libvirtd --config "$scratch/libvirtd.conf" --pid-file "$scratch/libvirtd.pid")
}

start_libvirt() {
    may_run_libvirt || return 0
    local command
    libvirtd_command
    "${command[@]}" >>"$scratch/libvirtd.log" 2>&1 &
    libvirtd=$!
    processes+=("$libvirtd")
    libvirt_api answer 2>"$scratch/output" || fail "libvirtd does not answer: $(tail -n 5 "$scratch/libvirtd.log")"
}

libvirt_dbus_command() {
    command=(env "DBUS_SYSTEM_BUS_ADDRESS=$BUS" "VIRT_DBUS_INTERFACES_DIR=$libvirt_dbus_root/usr/share/dbus-1/interfaces"
        "$libvirt_dbus_root/usr/sbin/libvirt-dbus" --system)
}

start_libvirt_dbus() {
    may_run_libvirt_dbus || return 0
    local command
    libvirt_dbus_command
    "${command[@]}" >>"$scratch/libvirt-dbus.log" 2>&1 &
    libvirt_dbus=$!
    processes+=("$libvirt_dbus")
    until_true 20 is_on_bus org.libvirt || fail "libvirt-dbus did not start: $(tail -n 5 "$scratch/libvirt-dbus.log")"
    # It connects to libvirtd when it is first asked.
    busctl --address="$BUS" --quiet call org.libvirt /org/libvirt/QEMU org.libvirt.Connect ListStoragePools u 0
}

stop_libvirt() {
    [ -z "$libvirt_dbus" ] || ends "$libvirt_dbus"
    [ -z "$libvirtd" ] || { libvirt_api forget; ends "$libvirtd"; }
    libvirt_dbus='' libvirtd=''
}

# define_libvirt NAME DIRECTORY
define_libvirt() { ! may_run_libvirt || libvirt_api define "$1" "$2"; }

# libvirt_dbus_pool NAME: prints the path of its object.
libvirt_dbus_pool() {
    busctl --address="$BUS" -j call org.libvirt /org/libvirt/QEMU org.libvirt.Connect StoragePoolLookupByName s "$1" | jq -r '.data[0]'
}

# call_libvirt_dbus POOL METHOD [none]: prints milliseconds.
call_libvirt_dbus() { "$programs/timed_call" "$BUS" org.libvirt "$1" org.libvirt.StoragePool "$2" "${3:-flags}"; }
