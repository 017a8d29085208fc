# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes one row's result from its samples: {"ours": [1.5, ...], "floor": [...], ...} becomes medians, spreads, ratios and a verdict.
# Arguments: row, title, unit, goal ("" or e.g. "ratio <= 1.3", "max <= 250 ms", "median >= 1").

def quantile($p):
    sort as $all | (($all | length) - 1) * $p | . as $place | floor as $below
    | $all[$below] + (($all[$below + 1] // $all[$below]) - $all[$below]) * ($place - $below);

def summary: {median: quantile(0.5), p25: quantile(0.25), p75: quantile(0.75), max: max, n: length};

def ratio($mine; $floor): if $mine and $floor and $floor.median > 0 then $mine.median / $floor.median else null end;

def verdict($parts; $value):
    if ($parts | length) < 3 or $value == null then null
    elif $parts[1] == "<=" then $value <= ($parts[2] | tonumber)
    else $value >= ($parts[2] | tonumber) end;

map_values(if length == 0 then null elif (.[0] | type) == "string" then {said: .[0]} else summary end)
| . as $measured
| ($goal | split(" ")) as $parts
| ($measured | map_values(if .said then null else ratio(.; $measured.floor) end)) as $ratios
| {row: $row, title: $title, unit: $unit, goal: $goal, measured: $measured, ratios: $ratios,
   ok: verdict($parts; if $goal == "" then null elif $parts[0] == "ratio" then $ratios.ours else $measured.ours[$parts[0]] end)}
