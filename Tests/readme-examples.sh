#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the examples of README.md as they stand there: every ```sh block after a line "<!-- run -->", in order, in one shell, against
# a fresh cisternd that plays the system bus's. Fails when any command fails.
set -euo pipefail
export LC_ALL=C.UTF-8
# shellcheck source=Tests/private-bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/private-bus.sh"

# The marked blocks as one script that says where each begins.
examples() {
    awk '
        /^<!-- run -->$/ { marked = 1; next }
        /^```sh$/ && marked { inside = 1; marked = 0; print "echo \"README.md:" NR + 1 "\""; next }
        /^```/ && inside { inside = 0; next }
        inside { print }
        !inside && NF { marked = 0 }
    ' "$here/README.md"
}

make_scratch
examples >"$scratch/examples"
count=$(grep -c '^echo "README.md:' "$scratch/examples" || true)
[ "$count" -ge 8 ] || fail "README.md has $count examples to run; eight or more are promised"
start_bus
start_cisternd
export DBUS_SYSTEM_BUS_ADDRESS=$BUS dir=$scratch/images
mkdir "$dir" "$scratch/work"
cd "$scratch/work"
# A pipe that does not succeed as a whole is a failure too.
timeout 120 bash -euo pipefail "$scratch/examples" >"$scratch/output" 2>&1 || {
    status=$?
    cat "$scratch/output" >&2
    fail "an example of README.md ended with $status, see the last README.md:LINE above"
}
cd /
stop_cisternd || fail "cisternd ended with $?"
echo "The $count examples of README.md work."
