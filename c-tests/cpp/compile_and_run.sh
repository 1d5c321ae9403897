#!/bin/sh
# Compiles tests of phicache.hpp with the compiler CXX, against the library LIBRARY, in FOLDER.
#
#   compile_and_run.sh run UNIT FLAGS [UNIT FLAGS]...   compile each unit with its flags, link them, run the program
#   compile_and_run.sh quiet UNIT FLAGS                 the unit compiles without a warning at all levels of
#                                                       optimization, and defines no variable that is unique in the
#                                                       process
#   compile_and_run.sh refuse UNIT FLAGS                CASE 0 of the unit compiles, every other case fails with its
#                                                       message, in few lines: at most ten by g++
#   compile_and_run.sh macros FLAGS                     the headers define no macro without the prefix PHICACHE_, and
#                                                       compile after macros of one letter, such as C's `I`
set -eu

rm -rf "$FOLDER"
mkdir -p "$FOLDER"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
compile() { "$CXX" $warnings -O1 -I "$INCLUDE" -I "$TESTS" "$@"; }

mode=$1
shift
case $mode in
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
quiet)
    for level in 0 1 2 3 s g; do
        compile $2 "-O$level" -fPIC -c "$TESTS/cpp/$1" -o "$FOLDER/object"
        # A unique variable would keep a plugin from being unloaded, and plugins would share it.
        "$CXX" -shared "$FOLDER/object" -o "$FOLDER/plugin.so"
        if nm -D "$FOLDER/plugin.so" | grep ' u .*8phicache'; then
            echo "the headers define the variables above, which are unique in the process: see PHICACHE_HPP_LOCAL"
            exit 1
        fi
    done
    ;;
refuse)
    unit="$TESTS/cpp/$1"
    # clang repeats the source line of each note.
    most=$("$CXX" --version | grep -q clang && echo 36 || echo 10)
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
        lines=$(wc -l <"$FOLDER/messages")
        if [ "$lines" -gt "$most" ]; then
            cat "$FOLDER/messages"
            echo "case $case of $1 takes $lines lines to say: $message"
            exit 1
        fi
        echo "ok     $message"
    done
    ;;
macros)
    echo '#include <phicache.hpp>' >"$FOLDER/empty.cpp"
    # All macros that the C++ headers define and do not undefine.
    compile $1 -dD -E "$FOLDER/empty.cpp" | awk '
        /^# [0-9]+ "/ { ours = $3 ~ /\/phicache(_fwd)?\.hpp"$|\/phicache\/[a-z]+\.hpp"$/ }
        /^#define / && ours { name = $2; sub(/\(.*/, "", name); left[name] = 1 }
        /^#undef / { delete left[$2] }
        END { for (name in left) print name }' >"$FOLDER/macros"
    grep -q '^PHICACHE_HPP$' "$FOLDER/macros"
    if grep -v '^PHICACHE_' "$FOLDER/macros"; then
        echo "phicache.hpp defines the macros above; their names must begin with PHICACHE_"
        exit 1
    fi
    # In GNU's standards, which CMake chooses by default, C's complex numbers have a macro with a short name.
    printf '#include <complex.h>\n#ifndef I\n#error I is not defined\n#endif\n#include <phicache.hpp>\n' \
        >"$FOLDER/complex.cpp"
    compile $(echo "$1" | sed s/c++/gnu++/) -fsyntax-only "$FOLDER/complex.cpp"
    # Programs have macros of one letter, and keep them.
    for letter in A B C D E F G H I J K L M N O P Q R S T U V W X Y Z; do
        printf '#define %s (\n' $letter
    done >"$FOLDER/letters.cpp"
    printf '#include <phicache_fwd.hpp>\n#include <phicache.hpp>\nint restored[] = {T 1), U 2)};\n' \
        >>"$FOLDER/letters.cpp"
    compile $1 -fsyntax-only "$FOLDER/letters.cpp"
    ;;
esac
