#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Breaks one promise after the other in a copy of the tree, and sees a test fail for each.
#
#   Tests/mutants.sh [NAME...]     all of Tests/mutants/*.mutant, or those named
#   Tests/mutants.sh --check       only sees whether all of them still fit the code; quick
#
# A mutant is a file:
#     promise: one sentence
#     file: Sources/...
#     tests: what swift test --filter is given; PowerCutTests: the power is cut (Tests/Lab/powercuts)
#     ---
#     the text as it stands, exactly once, in the file
#     +++
#     what it becomes
#     (both end with their last line end; nothing after +++ means: removed)
#
# Fails when a mutant survives, does not apply, or does not compile. The copy is .build/mutants, so the next run builds little.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
copy=$here/.build/mutants
log=$here/.build/mutants.log
limit=${MUTANT_SECONDS:-300}

# Makes the copy like the tree, touching only files that differ: what did not change is not built again.
synchronize() {
    local path
    mkdir -p "$copy"
    (cd "$here" && git ls-files --cached --others --exclude-standard) | sort -u >"$copy.files"
    while read -r path; do
        [ -f "$here/$path" ] || continue
        cmp -s "$here/$path" "$copy/$path" && continue
        mkdir -p "$(dirname "$copy/$path")"
        cp "$here/$path" "$copy/$path"
    done <"$copy.files"
    (cd "$copy" && find . -path ./.build -prune -o -type f -print | sed 's|^\./||' | sort) | comm -23 - "$copy.files" | while read -r path; do
        [ "$path" = Package.resolved ] || rm -f "$copy/$path"
    done
}

field() { sed -n "/^---$/q; s/^$1: *//p" "$2"; }
# read_all VARIABLE: standard input as it is, its last line ends too.
read_all() { IFS= read -r -d '' "$1" || true; }

build() { (cd "$copy" && swift build --build-tests) </dev/null >>"$log" 2>&1; }
# The test program itself, not swift test, which would leave it behind when it is ended for hanging.
run_tests() {
    local program=("$copy/.build/debug/cisternPackageTests.xctest" --testing-library swift-testing --no-parallel --filter "$1")
    [ "$1" != PowerCutTests ] || program=(Tests/Lab/powercuts)
    (cd "$copy" && NO_COLOR=1 TERM=dumb timeout --kill-after=10 "$limit" "${program[@]}") </dev/null >"$copy.output" 2>&1
}

# apply MUTANT FILE: replaces the one occurrence.
apply() {
    local old new text rest
    read_all old < <(sed '1,/^---$/d; /^+++$/,$d' "$1")
    read_all new < <(sed '1,/^+++$/d' "$1")
    read_all text <"$2"
    [ -n "$old" ] || return 1
    rest=${text#*"$old"}
    [ "$rest" != "$text" ] && [ "${rest#*"$old"}" = "$rest" ] || return 1
    printf '%s' "${text/"$old"/"$new"}" >"$2"
}

# try MUTANT: sets $outcome; 0 when a test noticed.
try() {
    local file tests status=0
    file=$(field file "$1")
    tests=$(field tests "$1")
    [ -f "$copy/$file" ] || { outcome="there is no $file"; return 1; }
    apply "$1" "$copy/$file" || { outcome="does not apply: its text is not in $file exactly once"; return 1; }
    if ! build; then
        outcome="does not compile, see $log"
        status=1
    elif run_tests "$tests"; then
        outcome="SURVIVED"
        status=1
    elif [ $? -ge 124 ]; then
        outcome="noticed: the tests hung or crashed"
    else
        outcome="noticed: $(grep -cE '^. Test .* (failed|recorded an issue)' "$copy.output" || true) lines of failure"
    fi
    cat "$copy.output" >>"$log" 2>/dev/null || true
    cp "$here/$file" "$copy/$file"
    return "$status"
}

# check_all: whether every mutant fits.
check_all() {
    local mutant target bad=0
    target=$(mktemp)
    for mutant in "$here"/Tests/mutants/*.mutant; do
        [ -n "$(field promise "$mutant")" ] && [ -n "$(field tests "$mutant")" ] && cp "$here/$(field file "$mutant")" "$target" \
            && apply "$mutant" "$target" && continue
        echo "$(basename "$mutant"): does not fit $(field file "$mutant"): its text must be there exactly once" >&2
        bad=1
    done
    rm -f "$target"
    return "$bad"
}

if [ "${1:-}" = --check ]; then
    check_all
    exit
fi

mutants=()
if [ $# -gt 0 ]; then
    for name in "$@"; do mutants+=("$here/Tests/mutants/${name%.mutant}.mutant"); done
else
    for mutant in "$here"/Tests/mutants/*.mutant; do [ -e "$mutant" ] && mutants+=("$mutant"); done
fi
[ ${#mutants[@]} -gt 0 ] || { echo "There are no mutants in Tests/mutants." >&2; exit 1; }

mkdir -p "$here/.build"
: >"$log"
synchronize
echo "Building the copy in .build/mutants and running the tests the mutants name, unbroken ..."
build || { tail -n 20 "$log" >&2; echo "The tree does not build as it is." >&2; exit 1; }
while read -r tests; do
    ran=0
    run_tests "$tests" || ran=$?
    grep -qE 'Test run with 0 tests' "$copy.output" && { echo "No test is called $tests." >&2; exit 1; }
    [ "$ran" = 0 ] || { tail -n 20 "$copy.output" >&2; echo "The tests $tests fail without any mutant." >&2; exit 1; }
done < <(for mutant in "${mutants[@]}"; do field tests "$mutant"; done | sort -u)

bad=0
for mutant in "${mutants[@]}"; do
    outcome=
    mark='ok  '
    start=$SECONDS
    try "$mutant" || { bad=$((bad + 1)); mark='BAD '; }
    printf '%s %-28s %4d s  %s\n       %s\n' "$mark" "$(basename "$mutant" .mutant)" $((SECONDS - start)) "$(field promise "$mutant")" "$outcome"
done
echo "${#mutants[@]} promises broken, $((${#mutants[@]} - bad)) noticed."
[ "$bad" = 0 ]
