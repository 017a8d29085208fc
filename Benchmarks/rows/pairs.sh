# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# Creating and deleting a sparse raw volume of 1 MiB in an empty pool, by one client and by eight at once. The floor ends each step
# durably: create, fsync, fsync of the directory, unlink, fsync of the directory.

seconds=1
for who in ours floor libvirt libvirt-dbus; do mkdir "$scratch/pairs-$who"; done
start_ours_with pairs "$scratch/pairs-ours"
start_libvirt
start_libvirt_dbus
for who in libvirt libvirt-dbus; do
    define_libvirt "$who" "$scratch/pairs-$who"
    ! may_run_libvirt || libvirt_api start "$who" >"$scratch/output"
done
# pairs_of WHO CLIENTS: pairs a second.
pairs_of() {
    case $1 in
        ours) "$programs/bus_pairs" "$BUS" cistern "$pool" "$2" "$seconds" ;;
        floor) "$programs/floor_pairs" "$scratch/pairs-floor" "$2" "$seconds" ;;
        libvirt) libvirt_api pairs libvirt "$2" "$seconds" ;;
        libvirt-dbus) "$programs/bus_pairs" "$BUS" libvirt-dbus "$(libvirt_dbus_pool libvirt-dbus)" "$2" "$seconds" ;;
    esac
}

measure() {
    local one eight
    one=$(pairs_of "$1" 1)
    eight=$(pairs_of "$1" 8)
    sample pairs-1 "$1" "$one"
    sample pairs-8 "$1" "$eight"
    sample pairs-growth "$1" "$(jq -n "$eight / $one")"
}

for _ in 1 2 3 4 5; do
    measure ours
    measure floor
    ! may_run_libvirt || measure libvirt
    ! may_run_libvirt_dbus || measure libvirt-dbus
done
stop_ours
stop_libvirt

result pairs-1 pairs/s 'ratio >= 0.667' 'create + delete, 1 client'
result pairs-8 pairs/s 'ratio >= 0.667' 'create + delete, 8 clients'
result pairs-growth times 'median >= 1' 'create + delete, 8 clients against 1'
