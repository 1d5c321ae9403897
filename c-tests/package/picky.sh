#!/bin/sh
# picky.sh CC CXX INCLUDE TESTS WARNINGS...: all C and C++ tests compile without one of these warnings. Optimized, since some
# are found only then.
set -eu
cc=$1 cxx=$2 include=$3 tests=$4
shift 4
failed=0
for source in "$tests"/test_*.c "$tests"/test_*.cpp; do
    case $source in
    *.cpp) compile="$cxx -std=c++17" ;;
    *) compile="$cc -std=c11" ;;
    esac
    $compile -O2 -Wall -Wextra -pedantic -Werror "$@" -I "$include" -I "$tests" -DPHICACHE_SOURCE_DIR='""' -c "$source" \
        -o /dev/null || failed=1
done
exit $failed
