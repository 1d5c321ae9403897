#!/bin/sh
# Results on disk: two runs of one program, and a third one that needs more. The second computes nothing.
#
#     sh examples/disk.sh build/examples/disk_cpp
#
# It prints
#
#     first run:  20 answers, 20 computed, 23.033 bits
#     second run: 20 answers, 0 computed, 23.033 bits
#     third run:  30 answers, 10 computed, 33.205 bits
set -eu
program=$1

# A directory for this example. A program of yours needs none: the default is below the user's cache directory.
PHICACHE_DISK_DIRECTORY=$(mktemp -d)
export PHICACHE_DISK_DIRECTORY
trap 'rm -rf "$PHICACHE_DISK_DIRECTORY"' EXIT
trap 'exit 1' HUP INT TERM

echo "first run:  $("$program" 20)"
echo "second run: $("$program" 20)"
echo "third run:  $("$program" 30)"
