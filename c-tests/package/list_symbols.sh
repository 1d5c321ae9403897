#!/bin/sh
# Prints the symbols that a shared library exports, one a line: list_symbols.sh LIBRARY
# A version node defines an absolute symbol of its own name (type A); it is no symbol of ours.
set -eu
nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort
