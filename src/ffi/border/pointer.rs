//! Tests of pointers from C, for the fast path: one comparison each. Where they fail, the slow path finds the reason.

/// Whether a pointer is aligned and not NULL. False also in the upper half of the address space, which no program has.
#[inline(always)]
pub(in crate::ffi) fn is_valid<T>(pointer: *const T) -> bool {
    flaws(pointer) == 0
}

/// Whether both pointers are aligned, and the first is not NULL.
#[inline(always)]
pub(in crate::ffi) fn are_valid<T, U>(pointer: *const T, optional: *const U) -> bool {
    flaws(pointer) | optional.addr() & (align_of::<U>() - 1) == 0
}

/// 0 if a pointer is valid: subtracting the alignment makes NULL negative, and leaves the lower bits. Rotated, the sign
/// is beside them.
#[inline(always)]
fn flaws<T>(pointer: *const T) -> usize {
    pointer.addr().wrapping_sub(align_of::<T>()).rotate_left(1) & (2 * align_of::<T>() - 1)
}

/// Whether two arrays have memory in common.
pub(in crate::ffi) fn overlap<T, U>(one: (*const T, usize), other: (*const U, usize)) -> bool {
    let (one, len) = (one.0.addr(), one.1.saturating_mul(size_of::<T>()));
    let (other, other_len) = (other.0.addr(), other.1.saturating_mul(size_of::<U>()));
    len > 0 && other_len > 0 && one < other.saturating_add(other_len) && other < one.saturating_add(len)
}

#[cfg(test)]
mod tests {
    use std::ptr::{null, without_provenance};

    use super::*;

    #[test]
    fn a_pointer_is_valid_if_it_is_aligned_and_not_null() {
        let (words, bytes) = (without_provenance::<u64>, without_provenance::<u8>);
        assert!([8, 16, 0x7fff_ffff_ffff_fff8].into_iter().all(|address| is_valid(words(address))));
        assert!((0..8).chain([9, 12, 20, usize::MAX - 7]).all(|address| !is_valid(words(address))));
        assert!(is_valid(bytes(1)) && !is_valid(bytes(0)));
        let codes = without_provenance::<i32>;
        assert!([0, 4, 8].into_iter().all(|code| are_valid(words(8), codes(code))));
        assert!([1, 2, 3, 6].into_iter().all(|code| !are_valid(words(8), codes(code))));
        assert!(!are_valid(null::<u64>(), codes(4)) && !are_valid(words(4), codes(4)));
    }

    #[test]
    fn arrays_overlap_if_they_have_memory_in_common() {
        let (words, bytes) = (without_provenance::<u64>, without_provenance::<u8>);
        assert!(overlap((words(16), 2), (bytes(31), 1)) && overlap((bytes(31), 1), (words(16), 2)));
        assert!(overlap((words(16), 4), (words(24), 1)) && overlap((words(16), 1), (words(16), 1)));
        assert!(!overlap((words(16), 2), (bytes(32), 8)) && !overlap((bytes(8), 8), (words(16), 2)));
        assert!(!overlap((words(16), 2), (bytes(20), 0)) && !overlap((words(16), 0), (bytes(0), 64)));
        assert!(overlap((words(16), usize::MAX), (bytes(usize::MAX - 1), 1)));
    }
}
