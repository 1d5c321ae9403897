#!/bin/sh
# Checks what the shared library is: shared_library.sh LIBRARY SONAME SYMBOL_LIST
set -u
library=$1 soname=$2 symbols=$3
failed=0

expect() { # expect WHAT COMMAND...: the command must succeed
    what=$1
    shift
    if "$@"; then echo "ok     $what"; else echo "FAILED $what"; failed=1; fi
}

dynamic=$(readelf -dW "$library") || exit 1
has() { printf '%s\n' "$dynamic" | grep -q -- "$1"; }
has_not() { ! has "$1"; }
same_symbols() { sh "$(dirname "$0")/list_symbols.sh" "$library" | diff "$symbols" -; }
has_unwind_index() { readelf -lW "$library" | grep -q GNU_EH_FRAME; }
binds_at_once() { has "FLAGS.*NOW" && readelf -lW "$library" | grep -q GNU_RELRO; }
is_marked() { nm -D --defined-only "$library" | grep -q ' phicache_relinked'; }
versioned() { # every symbol carries the version of the ABI
    test "$(nm -D --defined-only "$library" | awk '$2 != "A"' | grep -vc "@PHICACHE_")" = 0
}

expect "its SONAME is $soname" has "SONAME.*\[$soname\]"
expect "it is never unloaded (nodelete)" has NODELETE
expect "it binds at once, and nothing that the loader wrote can be written later (now, relro)" binds_at_once
expect "it does not use the host's unwinder" has_not libgcc_s
expect "its own unwinder finds the frames (--eh-frame-hdr)" has_unwind_index
expect "it carries the mark of the relinked library" is_marked
expect "its symbols have versions" versioned
expect "it exports what $(basename "$symbols") lists, and nothing else (make symbols, if on purpose)" same_symbols
exit $failed
