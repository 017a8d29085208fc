# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# Properties.Get and GetAll on a pool: latency of one client, and calls a second with 64 on the way.

# measure WHO SERVICE PATH INTERFACE PROPERTY
measure() {
    local who=$1 p50 p99 rate
    read -r p50 p99 rate < <("$programs/call_latency" "$BUS" "${@:2:3}" "$5")
    sample get-p50 "$who" "$p50"
    sample get-p99 "$who" "$p99"
    sample get-rate "$who" "$rate"
    read -r p50 p99 rate < <("$programs/call_latency" "$BUS" "${@:2:3}")
    sample getall-p50 "$who" "$p50"
    sample getall-p99 "$who" "$p99"
}

mkdir "$scratch/few"
start_ours_with few "$scratch/few"
start_floor 0
start_libvirt
start_libvirt_dbus
define_libvirt few "$scratch/few"
for _ in 1 2 3 4 5; do
    measure ours "$service" "$pool" org.cistern1.Pool State
    measure floor floor.Service /floor/pool floor.Pool State
    ! may_run_libvirt_dbus || measure libvirt-dbus org.libvirt "$(libvirt_dbus_pool few)" org.libvirt.StoragePool Name
done
stop_ours
stop_floor
stop_libvirt

result get-p50 us 'ratio <= 1.3' 'Properties.Get on a pool, half of the calls'
result get-p99 us '' 'Properties.Get on a pool, 99 of 100 calls'
result getall-p50 us 'ratio <= 1.3' 'Properties.GetAll on a pool, half of the calls'
result getall-p99 us '' 'Properties.GetAll on a pool, 99 of 100 calls'
result get-rate calls/s 'ratio >= 0.769' 'Properties.Get, 64 on the way'
