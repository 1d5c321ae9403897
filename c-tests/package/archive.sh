#!/bin/sh
# Checks the symbols of the static archive: archive.sh ARCHIVE SYMBOL_LIST
set -u
archive=$1 symbols=$2
failed=0

if objdump -h "$archive" | grep -qE '\.llvm(bc|cmd)'; then
    echo "FAILED it carries LLVM bitcode"
    failed=1
else
    echo "ok     it carries no LLVM bitcode"
fi

# All symbols of the list, except the one that only the relinked library has, and no others with our prefix.
if nm -g --defined-only "$archive" 2>/dev/null | awk '$2 != "" && $3 ~ /^phicache_/ { print $3 }' | LC_ALL=C sort -u |
    diff "$symbols" - | grep -v phicache_relinked | grep '^[<>]'; then
    echo "FAILED its functions are not those of $(basename "$symbols")"
    failed=1
else
    echo "ok     it has the functions that the shared library exports"
fi

# Over this two archives of two compilers meet in one program, as docs/packaging.md says.
if nm -g --defined-only "$archive" 2>/dev/null | grep -q ' rust_eh_personality$'; then
    echo "ok     it brings Rust's standard library along"
else
    echo "FAILED it does not define rust_eh_personality"
    failed=1
fi
exit $failed
