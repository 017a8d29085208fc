# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by scripts that show or test cisternd on a bus of their own. Everything lies below $scratch, which is removed, with the
# processes, however the script ends. Gives $BUS, the bus's address; CISTERN_BUS is the same, for cisternctl.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CISTERND=${CISTERND:-$here/.build/release/cisternd}
CISTERNCTL=${CISTERNCTL:-$here/.build/release/cisternctl}
scratch=
processes=()

fail() {
    echo "FAILED: $*" >&2
    if [ -s "$scratch/cisternd.log" ]; then
        echo "The last lines of cisternd:" >&2
        tail -n 20 "$scratch/cisternd.log" >&2
    fi
    exit 1
}

clean_up() {
    local status=$?
    trap - EXIT INT TERM HUP
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    for process in "${processes[@]}"; do wait "$process" 2>/dev/null || true; done
    [ -z "$scratch" ] || rm -rf "$scratch"
    exit "$status"
}

# Memory file systems are small; where /tmp is one, /var/tmp is better.
scratch_parent() {
    if [ -n "${TMPDIR:-}" ]; then echo "$TMPDIR"
    elif [ "$(stat -f -c %T /tmp)" = tmpfs ] && [ -w /var/tmp ]; then echo /var/tmp
    else echo /tmp; fi
}

make_scratch() {
    local program
    for program in "$CISTERND" "$CISTERNCTL"; do
        [ -x "$program" ] || fail "$program is not there; \`make build\` makes it"
    done
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    scratch=$(mktemp -d "$(scratch_parent)/cistern-XXXXXX")
    # cisternctl by name, as it is installed.
    mkdir "$scratch/bin"
    ln -s "$(realpath "$CISTERNCTL")" "$scratch/bin/cisternctl"
    PATH=$scratch/bin:$PATH
}

start_bus() {
    cat > "$scratch/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$scratch/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
END
    mkfifo "$scratch/ready"
    dbus-daemon --nofork --config-file="$scratch/bus.conf" --print-address=3 3>"$scratch/ready" 2>"$scratch/bus.log" &
    processes+=($!)
    read -r BUS <"$scratch/ready" || fail "dbus-daemon did not start: $(cat "$scratch/bus.log")"
    BUS=${BUS%,guid=*}
    export BUS CISTERN_BUS=$BUS
}

start_cisternd() {
    "$CISTERND" --bus "$BUS" --config-directory "$scratch/config" --state-directory "$scratch/state" \
        --runtime-directory "$scratch/run" "$@" >>"$scratch/cisternd.log" 2>&1 &
    daemon=$!
    processes+=("$daemon")
    gdbus wait --address "$BUS" --timeout 20 org.cistern1 || fail "cisternd did not take its name within 20 s"
}

# SIGTERM, and the exit code that follows.
stop_cisternd() {
    kill -TERM "$daemon"
    wait "$daemon"
}

# until_true SECONDS COMMAND...: runs the command until it succeeds; fails when it never does.
until_true() {
    local end=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}
