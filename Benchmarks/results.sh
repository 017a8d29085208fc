# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# Sourced by the driver: keeps samples, makes results of them, prints them. They are in $scratch/results.json,
# a row a line; $base (may be empty) holds those of an earlier run. The four that are measured: ours, floor, libvirt, libvirt-dbus.

# sample ROW WHO VALUE...: keeps what was measured. A value that is no number is shown as it is.
sample() {
    local row=$1 who=$2
    shift 2
    [ -n "${1:-}" ] || fail "nothing was measured for $who in $row"
    mkdir -p "$scratch/samples/$row"
    printf '%s\n' "$@" | jq -Rc 'tonumber? // .' >>"$scratch/samples/$row/$who"
}

# median ROW WHO
median() { jq -s 'sort | .[length / 2 | floor]' "$scratch/samples/$1/$2"; }

# result ROW UNIT GOAL TITLE: ends a row. GOAL is empty or: ratio|median|max  <=|>=  NUMBER
result() {
    local row=$1 unit=$2 goal=$3 title=$4 file who
    file=$scratch/samples/$row
    for who in ours floor libvirt libvirt-dbus; do
        [ -s "$file/$who" ] || continue
        jq -c -n --arg who "$who" '{key: $who, value: [inputs]}' "$file/$who"
    done | jq -s from_entries \
        | jq -c --arg row "$row" --arg title "$title" --arg unit "$unit" --arg goal "$goal" -f "$benchmarks/statistics.jq" >"$file/result"
    cat "$file/result" >>"$scratch/results.json"
    print_result "$file/result"
}

# Three digits that count, without an exponent.
# shellcheck disable=SC2016 # the dollars are jq's
digits='def digits: if . == null then "-" elif . == 0 then "0" else
    (if . >= 99.95 then 0 elif . >= 9.995 then 1 elif . >= 0.9995 then 2 else 3 end) as $after
    | (. * pow(10; $after) | round | tostring) as $all
    | if $after == 0 then $all else ("000"[0:([$after + 1 - ($all | length), 0] | max)] + $all) as $all
        | $all[0:-$after] + "." + $all[-$after:] end end;'

# A row as a table: one line for each that was measured.
print_result() {
    local title unit who median spread max n ratio goal
    IFS=$'\t' read -r title unit < <(jq -r '[.title, .unit] | @tsv' "$1")
    printf '\n%s%s%s (%s)\n' "$bold" "$title" "$plain" "$unit"
    printf '  %-14s %9s  %-19s %9s %4s %9s  %s\n' '' median 'p25 - p75' max n 'x floor' goal
    jq -r "$digits"'
        . as $result | .measured | to_entries[] | .key as $who | .value
        | [$who, (.said // (.median | digits)), if .said then "-" else "\(.p25 | digits) - \(.p75 | digits)" end, (.max | digits), (.n // "-"),
           if $who == "floor" then "1" else ($result.ratios[$who] | digits) end,
           if $who != "ours" or $result.goal == "" then "-" else $result.goal + (if $result.ok then "  ok" else "  MISS" end) end] | @tsv' "$1" \
        | while IFS=$'\t' read -r who median spread max n ratio goal; do
            printf '  %-14s %9s  %-19s %9s %4s %9s  %s\n' "$who" "$median" "$spread" "$max" "$n" "$ratio" "${goal#-}"
        done
}

# All rows, a line each; beside ours what it was in the run compared with.
print_summary() {
    local title unit ours floor ratio goal ok libvirt dbus was
    printf '\n%s%-58s %9s %9s %8s  %-16s %-4s %9s %9s' "$bold" 'summary' ours floor ours/fl. goal '' libvirt/fl l-dbus/fl
    printf '%s%s\n' "${base:+       was}" "$plain"
    jq -r --slurpfile base "${base:-/dev/null}" "$digits"'
        . as $result | ($base | map(select(.row == $result.row)) | last | .measured.ours.median) as $was
        | def ratio($who): .measured[$who].said // (.ratios[$who] | digits);
        [.title, .unit, (.measured.ours.median | digits), (.measured.floor.median | digits), (.ratios.ours | digits),
         if .goal == "" then "-" else .goal end, if .ok == null then "-" elif .ok then "ok" else "MISS" end, ratio("libvirt"), ratio("libvirt-dbus"),
         if $was then ($was | digits) + " (" + (if $was > 0 then ((.measured.ours.median / $was - 1) * 100 | round | tostring) + " %" else "" end) + ")"
         else "-" end] | @tsv' "$scratch/results.json" \
        | while IFS=$'\t' read -r title unit ours floor ratio goal ok libvirt dbus was; do
            printf '%-58s %9s %9s %8s  %-16s %-4s %9s %9s%s\n' "$title, $unit" "$ours" "$floor" "$ratio" "$goal" "$ok" "$libvirt" "$dbus" \
                "${base:+   $was}"
        done
}
