#!/bin/sh
# Links phicache's archive and another Rust archive into one program, and runs it.
#   run.sh FOLDER PREFIX CC
set -eu
folder=$1 prefix=$2 cc=$3
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$folder"
mkdir -p "$folder"
rustc --edition 2024 -O --crate-type staticlib "$here/other.rs" -o "$folder/libother.a"
"$cc" "-I$prefix/include" "$here/program.c" "$(find "$prefix" -name libphicache.a)" "$folder/libother.a" \
    -lpthread -ldl -lm -o "$folder/program"
"$folder/program"
