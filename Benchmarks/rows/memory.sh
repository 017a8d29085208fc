# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# Proportional set size with all child processes: idle, and with 10,000 volumes after five refreshes.

family() {
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do family "$child"; done
}

# MiB of the processes and their children.
pss() {
    local process
    for process in "$@"; do family "$process"; done | while read -r process; do cat "/proc/$process/smaps_rollup"; done \
        | awk '/^Pss:/ { sum += $2 } END { print sum / 1024 }'
}

libvirt_memory() {
    ! may_run_libvirt || sample "$1" libvirt "$(pss "$libvirtd")"
    ! may_run_libvirt_dbus || sample "$1" libvirt-dbus "$(pss "$libvirtd" "$libvirt_dbus")"
}

measure_ours() {
    start_ours
    sleep 0.5
    sample pss-idle ours "$(pss "$daemon")"
    define_ours memory "$mixed"
    call_ours Start >"$scratch/output"
    for _ in 1 2 3 4 5; do call_ours Refresh >"$scratch/output"; done
    await_quiet
    sample pss-10000 ours "$(pss "$daemon")"
    stop_ours
}

measure_floor() {
    start_floor
    sample pss-idle floor "$(pss "$floor")"
    stop_floor
}

measure_libvirt() {
    may_run_libvirt || return 0
    start_libvirt
    start_libvirt_dbus
    sleep 0.5
    libvirt_memory pss-idle
    define_libvirt memory "$mixed"
    libvirt_api start memory >"$scratch/output"
    for _ in 1 2 3 4 5; do libvirt_api refresh memory >"$scratch/output"; done
    ! may_run_libvirt_dbus || "$programs/list_volumes" "$BUS" libvirt-dbus "$(libvirt_dbus_pool memory)" >"$scratch/output"
    libvirt_memory pss-10000
    stop_libvirt
}

mixed_files 10000
for _ in 1 2 3; do
    measure_ours
    measure_floor
    measure_libvirt
done
result pss-idle MiB 'median <= 10' 'memory (PSS), idle; libvirt-dbus with its libvirtd'
result pss-10000 MiB 'median <= 24' 'memory (PSS), 10,000 volumes after 5 refreshes'
