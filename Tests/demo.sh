#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shows cisternd at work on a bus of its own, and checks what it shows. Leaves nothing behind.
#
#   DEMO_SIZE=4GiB       how large the volume is that is written in full
#   DEMO_SECONDS=3       instead: as large as takes that long here
#   TMPDIR               where the pool is; needs that much room
set -euo pipefail
export LC_ALL=C.UTF-8
# shellcheck source=Tests/private-bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/private-bus.sh"

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m' green=$'\e[32m'; else bold='' plain='' green=''; fi
step=0
heading() { step=$((step + 1)); printf '\n%s%d. %s%s\n' "$bold" "$step" "$*" "$plain"; }
# run COMMAND...: shows it, then does it.
run() { printf '%s$ %s%s\n' "$bold" "${*//$scratch/\$scratch}" "$plain"; "$@" || fail "$* ended with $?"; }
# check SENTENCE COMMAND...: the sentence is true when the command succeeds.
check() {
    local sentence=$1
    shift
    "$@" || fail "not true: $sentence"
    printf '%s  ok: %s%s\n' "$green" "$sentence" "$plain"
}
human() { numfmt --to=iec-i --suffix=B "$1"; }

# ---- what was said on the bus ----

# The signals of cisternd so far, one JSON object a line.
start_recording() {
    busctl --address="$BUS" --json=short --match="type='signal'" monitor >"$scratch/signals" 2>"$scratch/monitor.log" &
    recorder=$!
    processes+=("$recorder")
    until_true 10 grep -qs Monitoring "$scratch/monitor.log" || fail "busctl monitor did not start: $(cat "$scratch/monitor.log")"
}
signals() {
    # A line that is being written is not there yet.
    head -n "$(wc -l <"$scratch/signals")" "$scratch/signals" | jq -c 'select(.path != null and (.path | startswith("/org/cistern1")))'
}
# places CONDITION: the positions of the signals that fit a jq condition, which may use $job.
places() { signals | jq -rs --arg job "${job:-}" "to_entries[] | select(.value | $1) | .key"; }
is_recorded() { [ -n "$(places "$1")" ]; }
job_finished='.member == "JobFinished" and .payload.data[0] == $job'
job_added='.member == "InterfacesAdded" and .payload.data[0] == $job'
job_changed='.member == "PropertiesChanged" and .path == $job'
job_progress="$job_changed and .payload.data[1].BytesDone != null and .payload.data[1].State == null"
job_state="$job_changed and (.payload.data[1].State.data // \"\" | . == \"completed\" or . == \"failed\" or . == \"cancelled\")"
byte_counts() {
    signals | jq -r --arg job "$job" "select($job_changed) | .payload.data[1].BytesDone.data // empty" \
        | awk -v total="$size" '$1 > 0 && $1 < total' | sort -nu
}
in_order() {
    local added progress_first progress_last state finished
    added=$(places "$job_added" | head -1)
    progress_first=$(places "$job_progress" | head -1)
    progress_last=$(places "$job_progress" | tail -1)
    state=$(places "$job_state" | head -1)
    finished=$(places "$job_finished" | head -1)
    [ "$added" -lt "$progress_first" ] && [ "$progress_last" -lt "$state" ] && [ "$state" -lt "$finished" ]
}
# timeline: what became of the job, for people.
timeline() {
    signals | jq -r --arg job "$job" '
        if .member == "InterfacesAdded" and .payload.data[0] == $job then "InterfacesAdded   \($job)"
        elif .member == "PropertiesChanged" and .path == $job then
            "PropertiesChanged " + (.payload.data[1] | to_entries | map("\(.key)=\(.value.data | tostring)") | join(" "))
        elif .member == "JobFinished" and .payload.data[0] == $job then "JobFinished       " + (.payload.data | map(tostring) | join(" "))
        else empty end' | cut -c1-150 >"$scratch/timeline"
    local count
    count=$(wc -l <"$scratch/timeline")
    if [ "$count" -gt 12 ]; then
        head -n 6 "$scratch/timeline"; echo "... $((count - 11)) more ..."; tail -n 5 "$scratch/timeline"
    else cat "$scratch/timeline"; fi
}

# ---- how large ----

bytes_of() { numfmt --from=iec "$(sed -E 's/(i?B)$//I; s/i$//I' <<<"$1")"; }
free_bytes() { df --output=avail -B1 "$scratch" | tail -1 | tr -d ' '; }
# What the disk writes in DEMO_SECONDS, between 256 MiB and 4 GiB.
measured_size() {
    local start end rate size
    start=$(date +%s%N)
    dd if=/dev/zero of="$scratch/speed" bs=1M count=128 oflag=direct conv=fsync status=none 2>/dev/null \
        || dd if=/dev/zero of="$scratch/speed" bs=1M count=128 conv=fsync status=none || return 1
    end=$(date +%s%N)
    rm -f "$scratch/speed"
    rate=$((128 * 1000000000 / (end - start + 1) + 1))
    size=$((rate * DEMO_SECONDS / 64 * 64))
    [ "$size" -ge 256 ] || size=256
    [ "$size" -le 4096 ] || size=4096
    echo "$((size << 20))"
}

# ---- the demonstration ----

make_scratch
if [ -n "${DEMO_SECONDS:-}" ]; then size=$(measured_size) || fail "cannot write to $scratch"; else size=$(bytes_of "${DEMO_SIZE:-4GiB}"); fi
reserve=$((256 << 20))
[ "$(free_bytes)" -gt $((size + reserve)) ] || fail \
    "$(dirname "$scratch") has $(human "$(free_bytes)") free, the demo needs $(human $((size + reserve))): set TMPDIR to a larger place, or DEMO_SIZE=1GiB"

heading "A private bus, and cisternd on it"
start_bus
start_cisternd
echo "bus: $BUS"
check "cisternd is on the bus" busctl --address="$BUS" --quiet call org.cistern1 /org/cistern1 org.freedesktop.DBus.Peer Ping
start_recording

heading "A pool: a directory of plain files"
pool=$scratch/pool
run cisternctl pool define demo dir --target "$pool"
run cisternctl pool build demo
run cisternctl pool start demo
run cisternctl pool list
check "the directory is there" test -d "$pool"
is_active() { [ "$(cisternctl pool info demo --json | jq -r .State)" = active ]; }
check "the pool is active" is_active

heading "A volume of $(human "$size"), every byte written"
run cisternctl volume create demo big "$size" --allocation full
job=$(signals | jq -r 'select(.member == "InterfacesAdded" and .payload.data[1]["org.cistern1.Job"].Operation.data == "Pool.CreateVolume")
    | .payload.data[0]' | tail -1)
until_true 5 is_recorded "$job_finished" || fail "no JobFinished was recorded for the job $job"
echo; echo "What the bus saw of it:"
timeline
file=$(cisternctl volume info demo big --json | jq -r .Path)
check "at least three different byte counts were reported ($(byte_counts | wc -l))" test "$(byte_counts | wc -l)" -ge 3
check "signals came in order: job added, progress, final state, JobFinished" in_order
check "the file has $size bytes" test "$(stat -c %s "$file")" = "$size"
check "every block of it is allocated" test $(($(stat -c '%b * %B' "$file"))) -ge "$size"
check "the property Capacity says the same" test "$(cisternctl volume info demo big --json | jq .Capacity)" = "$size"

heading "A plain cp becomes an object, and nobody calls Refresh"
copied='.member == "InterfacesAdded" and .payload.data[1]["org.cistern1.Volume"].Name.data == "copied.img"'
head -c 1048576 /dev/zero >"$scratch/some.img"
before=$(date +%s%6N)
run cp "$scratch/some.img" "$pool/copied.img"
until_true 5 is_recorded "$copied" || fail "the copied file did not become an object"
after=$(signals | jq -r "select($copied) | .\"timestamp-realtime\"" | head -1)
if [[ $after =~ ^[0-9]+$ ]]; then echo "announced after $(((after - before) / 1000)) ms"; fi
object=$(signals | jq -r "select($copied) | .payload.data[0]" | head -1)
has_capacity() { [ "$(busctl --address="$BUS" get-property org.cistern1 "$object" org.cistern1.Volume Capacity)" = "t $1" ]; }
check "the bus has it: $object" busctl --address="$BUS" --quiet call org.cistern1 "$object" org.freedesktop.DBus.Properties GetAll s org.cistern1.Volume
check "its capacity is true" until_true 2 has_capacity 1048576
run cisternctl volume list demo

heading "Everything can be explored"
run busctl --address="$BUS" --no-pager tree org.cistern1
volume=$(signals | jq -r 'select(.member == "InterfacesAdded" and .payload.data[1]["org.cistern1.Volume"].Name.data == "big") | .payload.data[0]' | head -1)
run busctl --address="$BUS" --no-pager introspect org.cistern1 "$volume" org.cistern1.Volume

heading "Delete, and a cancelled allocation"
run cisternctl volume delete demo big --yes
check "the file is gone" test ! -e "$file"
check "the object is gone" eval '! cisternctl volume info demo big >"$scratch/output" 2>&1'
run cisternctl volume create demo half "$size" --allocation full --no-wait | tee "$scratch/job"
job=$(tail -1 "$scratch/job")
run cisternctl job cancel "$job"
ends_cancelled() { [ "$(cisternctl job wait "$job" --json 2>/dev/null | jq -r .State)" = cancelled ]; }
check "the job ends cancelled" ends_cancelled
check "nothing of it remains in the directory" test "$(ls -A "$pool")" = copied.img
run cisternctl volume delete demo copied.img --yes

heading "Stop, delete, undefine: nothing stays"
run cisternctl pool stop demo
run cisternctl pool delete demo --yes
run cisternctl pool undefine demo --yes
run cisternctl pool list
check "the directory is gone" test ! -e "$pool"
check "no definition is left" test -z "$(find "$scratch/config" ! -type d)"
check "cisternd ends cleanly when asked to" stop_cisternd
left=$(find "$scratch" -newer "$scratch/bus.conf" \( -name '*.img' -o -name 'big*' -o -name 'half*' -o -name '.cistern-*' \) ! -path "$scratch/some.img")
check "no file of a volume is left" test -z "$left"

printf '\n%sAll of it is true.%s\n' "$green" "$plain"
