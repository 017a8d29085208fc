# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# From the creation of a file in the pool's directory to the signal at a client that nobody had to call for.

mkdir "$scratch/appear"
start_ours_with appear "$scratch/appear"
mapfile -t times < <("$programs/appear" "$BUS" "$service" "$volumes" "$scratch/appear" 50)
[ ${#times[@]} = 50 ] || fail "only ${#times[@]} of 50 files appeared"
sample appear ours "${times[@]}"
! may_run_libvirt || sample appear libvirt never
! may_run_libvirt_dbus || sample appear libvirt-dbus never
stop_ours
result appear ms 'max <= 250' 'a file appears in the directory, until the signal'
