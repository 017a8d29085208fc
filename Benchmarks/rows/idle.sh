# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# System calls in ten idle seconds, with one active pool of 1,000 files.

# trace WHO PROCESS...: counts in the background, all for the same ten seconds.
trace() {
    local who=$1 attached=()
    for process in "${@:2}"; do attached+=(-p "$process"); done
    timeout --signal=INT 10 strace -f -c -o "$scratch/idle-$who" "${attached[@]}" 2>"$scratch/strace-$who" &
    tracers+=($!)
    processes+=($!)
}

# calls WHO: how many were counted; fails when strace was not attached.
calls() {
    grep -q attached "$scratch/strace-$1" || fail "strace cannot look at $1: $(head -1 "$scratch/strace-$1")"
    awk '$NF == "total" { total = $(NF - ($(NF - 1) ~ /^[0-9]+$/ && NF > 5 ? 2 : 1)) } END { print total + 0 }' "$scratch/idle-$1"
}

tracers=()
raw_files "$scratch/idle" 1000
start_ours_with idle "$scratch/idle"
start_libvirt
start_libvirt_dbus
define_libvirt idle "$scratch/idle"
! may_run_libvirt || libvirt_api start idle >"$scratch/output"
sleep 15 # threads that are no longer needed have ended; the job of Start is forgotten after a minute only
trace ours "$daemon"
[ -z "$libvirtd" ] || trace libvirt "$libvirtd"
[ -z "$libvirt_dbus" ] || trace libvirt-dbus "$libvirt_dbus"
for tracer in "${tracers[@]}"; do wait "$tracer" || true; done
for who in ours ${libvirtd:+libvirt} ${libvirt_dbus:+libvirt-dbus}; do sample idle "$who" "$(calls "$who")"; done
stop_ours
stop_libvirt
result idle calls 'median <= 0' 'system calls in 10 idle seconds'
if [ "$(median idle ours)" != 0 ]; then cat "$scratch/idle-ours"; fi
