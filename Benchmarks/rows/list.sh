# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# All volumes with name, path, key, capacity, allocation and format: with ListVolumes (floor: one a(ssstts) from a bare service), as
# objects with all properties (floor: the same reply from a bare service), and 100,000 of them by pages.

# listed ROW WHO COUNT ARGUMENT...: runs list_volumes, which must list so many.
listed() {
    local row=$1 who=$2 count=$3 taken found calls
    read -r taken found calls < <("$programs/list_volumes" "$BUS" "${@:4}")
    [ "$found" = "$count" ] || fail "$who listed ${found:-nothing} of $count volumes in ${calls:-no} calls"
    sample "$row" "$who" "$taken"
}

# listed_by_libvirt ROW COUNT POOL
listed_by_libvirt() {
    local taken found
    read -r taken found < <(libvirt_api list "$3" 2>"$scratch/output") || true # too many for one of its messages
    if [ "${found:-}" = "$2" ]; then sample "$1" libvirt "$taken"; else sample "$1" libvirt fails; fi
}

ten_thousand() {
    local dbus_pool=
    mixed_files 10000
    start_ours_with list "$mixed"
    await_quiet
    start_floor 10000
    start_libvirt
    start_libvirt_dbus
    define_libvirt list "$mixed"
    ! may_run_libvirt || libvirt_api start list >"$scratch/output"
    ! may_run_libvirt_dbus || dbus_pool=$(libvirt_dbus_pool list)
    for ((round = 0; round < 7; round++)); do
        listed list-10000 ours 10000 cistern "$pool"
        listed list-10000 floor 10000 floor 10000 10000
        listed objects-10000 ours 10000 objects "$service" "$volumes" org.freedesktop.DBus.ObjectManager GetManagedObjects
        listed objects-10000 floor 10000 objects floor.Service /floor/volumes floor.Volumes Objects
        [ "$round" -lt 2 ] || continue
        ! may_run_libvirt || listed_by_libvirt list-10000 10000 list
        ! may_run_libvirt_dbus || listed list-10000 libvirt-dbus 10000 libvirt-dbus "$dbus_pool"
    done
    stop_floor
    stop_ours
    stop_libvirt
}

hundred_thousand() {
    local directory=$scratch/many
    raw_files "$directory" 100000
    start_ours_with many "$directory"
    await_quiet
    start_many_floor
    start_libvirt
    define_libvirt many "$directory"
    for _ in 1 2 3 4 5; do
        listed list-100000 ours 100000 cistern "$pool"
        listed list-100000 floor 100000 floor 100000 10000
    done
    ! may_run_libvirt || { libvirt_api start many >"$scratch/output"; listed_by_libvirt list-100000 100000 many; }
    stop_floor
    stop_ours
    stop_libvirt
    rm -rf "$directory"
}

# The objects of 100,000 volumes are too many for one message: the floor learns from a pool with one, on the same daemon.
start_many_floor() {
    local many=$pool
    raw_files "$scratch/one" 1
    define_ours one "$scratch/one"
    call_ours Start >"$scratch/output"
    start_floor 100000
    pool=$many
}

ten_thousand
hundred_thousand
result list-10000 ms 'ratio <= 3' 'list 10,000 volumes, six fields'
result objects-10000 ms 'ratio <= 1.5' 'GetManagedObjects of 10,000 volumes'
result list-100000 ms '' 'list 100,000 volumes by pages, six fields'
