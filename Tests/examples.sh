#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the examples of README.md, or of the manual pages that are named, as they stand there: in order, in one shell for each file,
# against a fresh cisternd that plays the system bus's.
#
# In README.md an example is a ```sh block after a line "<!-- run -->"; every command in it must succeed. In a manual page it is a
# literal display after a line '.\" run', a session: "$ COMMAND", which goes on after a line's last | or \, and the output. Output that is
# shown is compared, "..." stands for whatever there is; a command that shows none must succeed.
set -euo pipefail
export LC_ALL=C.UTF-8
# shellcheck source=Tests/private-bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/private-bus.sh"

# The marked blocks of a README as one script that says where each begins.
readme_script() {
    awk -v file="$1" '
        /^<!-- run -->$/ { marked = 1; next }
        /^```sh$/ && marked { inside = 1; marked = 0; print "echo \"@@ " file ":" NR + 1 "\""; next }
        /^```/ && inside { inside = 0; next }
        inside { print }
        !inside && NF { marked = 0 }
    ' "$here/$1"
}

# The sessions of a manual page as one script that says where each command begins; what they show goes to $scratch/shown, under the
# same headings.
manual_script() {
    : >"$scratch/shown"
    awk -v file="$1" -v shown="$scratch/shown" '
        function plain(text) {
            gsub(/\\\(aq/, "\047", text); gsub(/\\&/, "", text); gsub(/\\-/, "-", text); gsub(/\\e/, "\\", text)
            return text
        }
        # A command that shows its output is judged by that, not by its status.
        function finish() { if (command != "") print command (shows ? " || true" : ""); command = ""; shows = 0 }
        /^\.\\" run$/ { marked = 1; next }
        /^\.Bd -literal/ && marked { inside = 1; marked = 0; next }
        /^\.Ed$/ { finish(); inside = 0; next }
        !inside { marked = 0; next }
        { line = plain($0) }
        line ~ /^\$ / {
            finish()
            heading = "@@ " file ":" NR
            print "echo \"" heading "\""
            command = substr(line, 3)
        }
        line !~ /^\$ / && more { command = command "\n" line }
        line !~ /^\$ / && !more { if (!shows) print heading >shown; shows = 1; print line >shown }
        { more = (line ~ /^\$ / || more) && line ~ /(\\|\|)$/ }
    ' "$here/$1"
}

# compare: whether the output is what was shown, command by command.
compare() {
    awk '
        function pattern(text) { gsub(/[][\\.^$*+?(){}|]/, "\\\\&", text); gsub(/\\\.\\\.\\\./, ".*", text); return "^" text "$" }
        /^@@ / { heading = $0; if (FNR == NR) wanted[heading] = ""; next }
        FNR == NR { wanted[heading] = wanted[heading] $0 "\n"; next }
        { output[heading] = output[heading] $0 "\n" }
        END {
            for (heading in wanted) if (output[heading] !~ pattern(wanted[heading])) {
                printf "%s shows\n%sbut the output is\n%s", substr(heading, 4), wanted[heading], output[heading]
                failed = 1
            }
            exit failed
        }
    ' "$scratch/shown" "$scratch/output"
}

run_examples() {
    local file=$1 kind=manual status
    [[ $file == man/* ]] || kind=readme
    "${kind}_script" "$file" >"$scratch/examples"
    count=$(grep -c '^echo "@@ ' "$scratch/examples" || true)
    [ "$count" -ge 8 ] || fail "$file has $count examples to run; eight or more are promised"
    mkdir "$scratch/images" "$scratch/work"
    start_cisternd
    cd "$scratch/work"
    # A pipe that does not succeed as a whole is a failure too.
    timeout 120 bash -euo pipefail "$scratch/examples" >"$scratch/output" 2>&1 || {
        status=$?
        cat "$scratch/output" >&2
        fail "an example of $file ended with $status, see the last @@ above"
    }
    cd /
    if [ "$kind" = manual ]; then compare >&2 || fail "$file shows what is not so"; fi
    stop_cisternd || fail "cisternd ended with $?"
    rm -r "$scratch/images" "$scratch/work"
    echo "The $count examples of $file work."
}

make_scratch
start_bus
export DBUS_SYSTEM_BUS_ADDRESS=$BUS dir=$scratch/images
for file in "${@:-README.md}"; do run_examples "$file"; done
