#!/bin/sh
# Compiles tests of phicache.hpp with the compiler CXX, against the library LIBRARY, in FOLDER.
#
#   compile_and_run.sh run UNIT FLAGS [UNIT FLAGS]...   compile each unit with its flags, link them, run the program
#   compile_and_run.sh refuse UNIT FLAGS                CASE 0 of the unit compiles, every other gives its own message
#   compile_and_run.sh macros FLAGS                     the header leaves no macro of its own behind
set -eu

rm -rf "$FOLDER"
mkdir -p "$FOLDER"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
compile() { "$CXX" $warnings -O1 -I "$INCLUDE" -I "$TESTS" "$@"; }

way=$1
shift
case $way in
run)
    objects=
    while [ $# -gt 0 ]; do
        object="$FOLDER/$1.o"
        compile $2 -c "$TESTS/cpp/$1" -o "$object"
        objects="$objects $object"
        shift 2
    done
    "$CXX" $objects "$LIBRARY" -Wl,-rpath,"$(dirname "$LIBRARY")" -o "$FOLDER/program"
    "$FOLDER/program"
    ;;
refuse)
    unit="$TESTS/cpp/$1"
    cases=$(sed -n 's/^#elif CASE == \([0-9]*\) .*/\1/p' "$unit")
    test -n "$cases"
    compile $2 -Wold-style-cast -Wsign-conversion -DCASE=0 -fsyntax-only "$unit"
    for case in $cases; do
        message=$(sed -n "s/^#elif CASE == $case  *\/\/ //p" "$unit")
        if compile $2 -DCASE="$case" -fsyntax-only "$unit" 2>"$FOLDER/messages"; then
            echo "case $case of $1 compiles; expected: $message"
            exit 1
        fi
        if ! grep -q "$message" "$FOLDER/messages"; then
            cat "$FOLDER/messages"
            echo "case $case of $1 does not say: $message"
            exit 1
        fi
        echo "ok     $message"
    done
    ;;
macros)
    echo '#include <phicache.hpp>' >"$FOLDER/empty.cpp"
    # Of all that is defined and undefined on the way, what our C++ headers leave.
    compile $1 -dD -E "$FOLDER/empty.cpp" | awk '
        /^# [0-9]+ "/ { ours = $3 ~ /\/phicache\.hpp"$|\/phicache\/[a-z]+\.hpp"$/ }
        /^#define / && ours { name = $2; sub(/\(.*/, "", name); left[name] = 1 }
        /^#undef / { delete left[$2] }
        END { for (name in left) print name }' >"$FOLDER/macros"
    if [ "$(cat "$FOLDER/macros")" != PHICACHE_HPP ]; then
        echo "phicache.hpp leaves these macros, expected PHICACHE_HPP alone:"
        cat "$FOLDER/macros"
        exit 1
    fi
    ;;
esac
