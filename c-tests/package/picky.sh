#!/bin/sh
# picky.sh CC CXX INCLUDE TESTS WARNINGS...: compiles tests that use every template of phicache.hpp with these warnings
# as errors, and with optimization, which some of the warnings need.
set -eu
cc=$1 cxx=$2 include=$3 tests=$4
shift 4
failed=0
for name in test_dict.c test_memo.cpp test_memoize.cpp test_mice.cpp test_values.cpp; do
    source="$tests/$name"
    case $source in
    *.cpp) compile="$cxx -std=c++17" ;;
    *) compile="$cc -std=c11" ;;
    esac
    $compile -O2 -Wall -Wextra -pedantic -Werror "$@" -I "$include" -I "$tests" -DPHICACHE_SOURCE_DIR='""' \
        -c "$source" -o /dev/null || failed=1
done
exit $failed
