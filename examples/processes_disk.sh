#!/bin/sh
# Several processes over a directory: two at once, a third one, and two at once after a process was killed at work.
#
#     sh examples/processes_disk.sh build/examples/processes_disk_cpp
#
# It prints
#
#     two processes at once: 80 answers, 40 computed
#     a third process: 40 answers, 0 computed
#     after one was killed: 80 answers, at most 40 computed
set -eu
program=$1

# Directories for this example. A program of yours needs none: the default is below the user's cache directory.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# Runs the program twice at the same time, and adds what the two say.
two_at_once() {
    "$program" 0 > "$folder/one" &
    one=$!
    "$program" 20 > "$folder/two"
    wait $one
    cat "$folder/one" "$folder/two" | awk '
        { answers += $1; computed += $3 }
        END { print answers " answers, " computed " computed" }'
}

export PHICACHE_DISK_DIRECTORY="$folder/values"
echo "two processes at once: $(two_at_once)"
echo "a third process: $("$program")"

# Killed when it stores its first values: what it has stored stays, and nobody waits for what it was computing.
export PHICACHE_DISK_DIRECTORY="$folder/values of another day"
"$program" > "$folder/killed" &
killed=$!
until find "$PHICACHE_DISK_DIRECTORY" -name '*.live' 2> /dev/null | grep -q . || ! kill -0 $killed 2> /dev/null; do
    sleep 0.01
done
kill -9 $killed 2> /dev/null || true
wait $killed 2> /dev/null || true
two_at_once | awk '{ print "after one was killed: " $1 " answers, " ($3 <= 40 ? "at most 40" : $3) " computed" }'
