# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# The first scan of a directory until the snapshot is in, until every volume has been announced on the bus, and a refresh with nothing
# changed; half sparse raw files, half qcow2. The floor is one thread that reads the first 4 KiB of each file. Then: how much page cache
# a first scan fills when nothing is cached.

# MiB of the directory's files that are in the page cache.
cached() { find "$1" -type f -print0 | xargs -0 fincore --bytes --noheadings --output RES | awk '{ sum += $1 } END { print sum / 1048576 }'; }

forget() { "$programs/floor_scan" "$1" evict >"$scratch/output"; }

# A cisternd that never saw the directory: nothing it remembers of files can help it. Leaves it running, and quiet.
first_scan_of_ours() {
    [ -z "$daemon" ] || stop_ours
    start_ours
    define_ours scan "$1"
    sample "$2" ours "$(call_ours Start)"
    sample "snapshot-${2#first-}" ours "$(until_snapshot)"
    await_quiet
}

# Milliseconds from the beginning of the start's job to the snapshot, as the service itself says.
until_snapshot() {
    local began snapshot
    began=$(busctl -j --address="$BUS" call org.cistern1 /org/cistern1/jobs org.freedesktop.DBus.ObjectManager GetManagedObjects \
        | jq '[.. | .["org.cistern1.Job"]? // empty | select(.Operation.data == "Pool.Start").StartTime.data] | max')
    snapshot=$(busctl -j --address="$BUS" get-property org.cistern1 "$pool" org.cistern1.Pool LastScan | jq .data)
    jq -n "($snapshot - $began) / 1000"
}

first_scan_of_libvirt() {
    ! may_run_libvirt || { sample "$2" libvirt "$(libvirt_api start "$1")"; libvirt_api stop "$1" >"$scratch/output"; }
    ! may_run_libvirt_dbus || { sample "$2" libvirt-dbus "$(call_libvirt_dbus "$dbus_pool" Create)"; }
}

rescan_of_libvirt() {
    ! may_run_libvirt || sample "$2" libvirt "$(libvirt_api refresh "$1")"
    ! may_run_libvirt_dbus || sample "$2" libvirt-dbus "$(call_libvirt_dbus "$dbus_pool" Refresh)"
}

# warm_up DIRECTORY POOL: everybody's first look is at cold files.
warm_up() {
    "$programs/floor_scan" "$1" >"$scratch/output"
    ! may_run_libvirt || { libvirt_api start "$2" && libvirt_api stop "$2"; } >"$scratch/output"
}

# scans COUNT ROUNDS
scans() {
    local directory floor dbus_pool=
    mixed_files "$1"
    directory=$mixed
    define_libvirt "scan$1" "$directory"
    ! may_run_libvirt_dbus || dbus_pool=$(libvirt_dbus_pool "scan$1")
    warm_up "$directory" "scan$1"
    for ((round = 0; round < $2; round++)); do
        first_scan_of_ours "$directory" "first-$1"
        floor=$("$programs/floor_scan" "$directory")
        sample "first-$1" floor "$floor"
        sample "snapshot-$1" floor "$floor"
        first_scan_of_libvirt "scan$1" "first-$1"
        for _ in 1 2; do
            sample "rescan-$1" ours "$(call_ours Refresh)"
            sample "rescan-$1" floor "$("$programs/floor_scan" "$directory")"
        done
        [ "$(volume_count)" = "$1" ] || fail "the pool has $(volume_count) volumes, the directory $1 files"
        may_run_libvirt_dbus || ! may_run_libvirt || libvirt_api start "scan$1" >"$scratch/output"
        rescan_of_libvirt "scan$1" "rescan-$1"
        ! may_run_libvirt || libvirt_api stop "scan$1" >"$scratch/output"
    done
}

# page_cache COUNT ROUNDS: after scans of as many.
page_cache() {
    local directory
    mixed_files "$1"
    directory=$mixed
    stop_ours
    for ((round = 0; round < $2; round++)); do
        forget "$directory"
        "$programs/floor_scan" "$directory" frugal >"$scratch/output"
        sample cold-cache floor "$(cached "$directory")"
        forget "$directory"
        start_ours_with scan "$directory"
        sample cold-cache ours "$(cached "$directory")"
        stop_ours
        may_run_libvirt || continue
        forget "$directory"
        libvirt_api start "scan$1" >"$scratch/output"
        sample cold-cache libvirt "$(cached "$directory")"
        libvirt_api stop "scan$1" >"$scratch/output"
    done
}

start_libvirt
start_libvirt_dbus
scans 1000 7
scans 10000 7
page_cache 10000 2
stop_libvirt

result snapshot-1000 ms '' 'first scan of 1,000 files, warm, until the snapshot is in'
result snapshot-10000 ms 'ratio <= 0.8' 'first scan of 10,000 files, warm, until the snapshot is in'
result first-1000 ms '' 'the same, until all volumes are announced on the bus'
result first-10000 ms '' 'the same of 10,000'
result rescan-1000 ms '' 'rescan of 1,000 files, nothing changed'
result rescan-10000 ms 'ratio <= 0.45' 'rescan of 10,000 files, nothing changed'
result cold-cache MiB 'ratio <= 1.1' 'page cache after a cold first scan of 10,000 files'
