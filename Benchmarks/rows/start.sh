# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# From exec to the name on the bus, with no pool defined. For libvirtd: to the first answer; libvirt-dbus starts beside a libvirtd.

start_ours_once() {
    local below=$scratch/start
    rm -rf "$below"
    "$programs/start_service" "$BUS" "$service" "$CISTERND" --bus "$BUS" --config-directory "$below/config" --state-directory "$below/state" \
        --runtime-directory "$below/run"
}

start_libvirtd_once() {
    local command socket=/run/libvirt/libvirt-sock
    libvirtd_command
    rm -f "$socket"
    libvirt_api launch "$socket" "${command[@]}"
}

start_libvirt_dbus_once() {
    local command
    libvirt_dbus_command
    "$programs/start_service" "$BUS" org.libvirt "${command[@]}"
}

for ((round = 0; round < 20; round++)); do
    sample start ours "$(start_ours_once)"
    sample start floor "$("$programs/start_service" "$BUS" floor.Service "$programs/floor_service" "$BUS" floor.Service)"
done
if may_run_libvirt; then
    start_libvirtd_once >"$scratch/output" # fills its caches
    for _ in 1 2 3 4 5; do sample start libvirt "$(start_libvirtd_once)"; done
fi
if may_run_libvirt_dbus; then
    start_libvirt
    for _ in 1 2 3 4 5; do sample start libvirt-dbus "$(start_libvirt_dbus_once)"; done
    stop_libvirt
fi
result start ms 'median <= 15' 'start, until the name is on the bus'
