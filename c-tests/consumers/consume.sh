#!/bin/sh
# Builds the two programs of a user in one of the supported ways, in an empty folder, and runs them.
#
#   consume.sh WAY KIND
#
# WAY   subdirectory, fetchcontent: with the sources; cmake, pkg-config, flags: with an install; examples: the programs
#       are the installed examples
# KIND  shared or static: the library that the programs are linked with (with the sources: both)
# Environment: SOURCE_DIR, FOLDER (recreated), PREFIX (the install), VERSION, CC, CXX, CMAKE, PKG_CONFIG, PYTHON,
# CARGO_TARGET (reused, so that cargo need not build everything again).
set -eu
way=$1 kind=$2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$FOLDER"
mkdir -p "$FOLDER"
cd "$FOLDER"
export CC CXX

with_cmake() { # with_cmake PROJECT OPTION...
    project=$1
    shift
    "$CMAKE" -S "$project" -B . -DCMAKE_BUILD_TYPE=Release "$@" > configure.log || { cat configure.log; exit 1; }
    "$CMAKE" --build . > build.log || { cat build.log; exit 1; }
}

with_compiler() { # with_compiler COMPILE_FLAGS LINK_FLAGS, both of them words
    "$CC" -std=c99 $1 "$here/program.c" -o program_c $2
    "$CXX" -std=c++17 $1 "$here/program.cpp" "$here/unit.cpp" -o program_cpp $2
}

case $way in
subdirectory | fetchcontent)
    with_cmake "$here/$way" "-DPHICACHE_SOURCE_DIR=$SOURCE_DIR" "-DPHICACHE_CARGO_TARGET_DIR=$CARGO_TARGET" ;;
cmake)
    with_cmake "$here/installed" "-DCMAKE_PREFIX_PATH=$PREFIX" -DKIND=$kind "-DPHICACHE_VERSION=$VERSION" ;;
examples)
    if [ $kind = shared ]; then shared=ON; else shared=OFF; fi
    examples=$(dirname "$(find "$PREFIX" -name quickstart.c)")
    with_cmake "$examples" "-DCMAKE_PREFIX_PATH=$PREFIX" -DBUILD_SHARED_LIBS=$shared
    for example in quickstart.c memoize.c quickstart.cpp threads.cpp; do
        "$PYTHON" -B "$SOURCE_DIR/examples/prints.py" "$examples/$example" "./$(echo $example | tr . _)"
    done
    exit ;;
pkg-config)
    PKG_CONFIG_PATH=$(dirname "$(find "$PREFIX" -name phicache.pc)")
    export PKG_CONFIG_PATH
    test "$("$PKG_CONFIG" --modversion phicache)" = "$VERSION"
    if [ $kind = static ]; then
        with_compiler "$("$PKG_CONFIG" --cflags phicache)" "-static $("$PKG_CONFIG" --static --libs phicache)"
    else
        with_compiler "$("$PKG_CONFIG" --cflags phicache)" "$("$PKG_CONFIG" --libs phicache)"
    fi ;;
flags)
    lib=$(dirname "$(find "$PREFIX" -name libphicache.a)")
    if [ $kind = static ]; then library="$lib/libphicache.a -lpthread -ldl -lm"; else library="-L$lib -lphicache"; fi
    with_compiler "-I$PREFIX/include" "$library" ;;
*)
    echo "no such way: $way" >&2
    exit 2 ;;
esac

# CMake puts the path of the library into the programs; programs linked by hand get it from the environment.
if [ $way = pkg-config ] || [ $way = flags ]; then
    LD_LIBRARY_PATH=$(dirname "$(find "$PREFIX" -name libphicache.so -not -path "*/julia/*")")
    export LD_LIBRARY_PATH
fi
./program_c
./program_cpp

# The examples of one page compile alone, without warnings.
if [ $way = flags ]; then
    for example in "$SOURCE_DIR"/examples/*.c "$SOURCE_DIR"/examples/*.cpp; do
        case $example in *.c) compiler="$CC -std=c11" ;; *) compiler="$CXX -std=c++17" ;; esac
        $compiler -Wall -Wextra -pedantic -Wconversion -Werror -pthread "-I$PREFIX/include" "$example" -o example \
            $library
    done
fi

uses_shared() { readelf -dW "$1" | grep -q 'NEEDED.*libphicache\.so'; }
case $way in cmake | pkg-config | flags)
    for program in program_c program_cpp; do
        if [ $kind = shared ]; then uses_shared $program; else ! uses_shared $program; fi ||
            { echo "$program is not linked with the $kind library"; exit 1; }
    done ;;
esac
