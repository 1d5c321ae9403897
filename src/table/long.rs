//! Lookups of long keys, on processors with instructions for AES rounds and blocks of 32 bytes: one function, which
//! calls no other, hashes the key (`other_hash.rs`), probes its bucket and compares the keys, in blocks of 32 bytes of
//! which the last overlap. Otherwise the lookup is that of `lookup.rs`.

use super::hash::ORDINARY;

pub(super) use x86::find;

/// The keys that [`find`] finds are longer than ordinary ones. It is called only where `other_hash::detect` is some.
pub(super) const SHORTEST: usize = *ORDINARY.end() + 1;

mod x86 {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_or_si256, _mm256_testz_si256, _mm256_xor_si256};

    use super::super::directory::Directory;
    use super::super::entry::EntryRef;
    use super::super::hash::{Hashed, known_secrets};
    use super::super::other_hash::of_long;
    use super::super::segment::{self, Probe};

    /// Finds a key.
    ///
    /// # Safety
    /// The processor has the instructions, and the key is at least `SHORTEST` bytes long. The directory, its segments
    /// and their entries live for `'g`.
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) unsafe fn find<'g>(directory: *mut Directory, key: &[u8]) -> Option<EntryRef<'g>> {
        // SAFETY: the caller's promise.
        unsafe {
            let key = Hashed::with_hash(key, of_long(key, &known_secrets().words));
            let buckets = Directory::buckets(directory, key.hash());
            match segment::probe_unequal(buckets, &key) {
                Probe::Found(entry) if keys_equal(entry.key(), key.key) => Some(entry),
                Probe::Missing => None,
                Probe::Found(_) | Probe::Unclear => find_slowly(directory, key.key, key.hash()),
            }
        }
    }

    /// Finds a key, with this hash, that the first bucket does not decide. These arguments are passed in registers: a
    /// [`Hashed`] would be in memory, also when the first bucket decides.
    ///
    /// # Safety
    /// As for [`find`].
    #[cold]
    #[inline(never)]
    unsafe fn find_slowly<'g>(directory: *mut Directory, key: &[u8], hash: u64) -> Option<EntryRef<'g>> {
        // SAFETY: the caller's promise.
        unsafe { segment::find_slowly(Directory::buckets(directory, hash), &Hashed::with_hash(key, hash)) }
    }

    /// Whether two keys are equal.
    ///
    /// # Safety
    /// The second is at least two blocks long.
    #[target_feature(enable = "avx2")]
    unsafe fn keys_equal(a: &[u8], b: &[u8]) -> bool {
        const BLOCK: usize = size_of::<__m256i>();
        let len = b.len();
        if len != a.len() {
            return false;
        }
        // SAFETY: in every call below, `at` is at least a block before the end.
        let differ = |at: usize| unsafe {
            let block = |bytes: &[u8]| _mm256_loadu_si256(bytes.as_ptr().add(at).cast());
            _mm256_xor_si256(block(a), block(b))
        };
        let mut different = _mm256_or_si256(differ(len - 2 * BLOCK), differ(len - BLOCK));
        let (mut at, end) = (0, len & !(4 * BLOCK - 1));
        while at < end {
            let halves = [[at, at + BLOCK], [at + 2 * BLOCK, at + 3 * BLOCK]]
                .map(|[one, other]| _mm256_or_si256(differ(one), differ(other)));
            different = _mm256_or_si256(different, _mm256_or_si256(halves[0], halves[1]));
            at += 4 * BLOCK;
        }
        // Less than four blocks are left, of which the last two are compared.
        if at + 2 * BLOCK < len {
            different = _mm256_or_si256(different, _mm256_or_si256(differ(at), differ(at + BLOCK)));
        }
        _mm256_testz_si256(different, different) == 1
    }

    #[cfg(all(test, not(shuttle)))]
    mod tests {
        use super::*;

        #[test]
        fn long_keys_are_equal_when_all_their_bytes_are() {
            if crate::table::other_hash::detect().is_none() {
                return;
            }
            for len in super::super::SHORTEST..400 {
                let key: Vec<u8> = (0..len).map(|at| at as u8).collect();
                // SAFETY: the processor has the instructions, and the keys are long enough.
                let equal = |a: &[u8], b: &[u8]| unsafe { keys_equal(a, b) };
                assert!(equal(&key, &key.clone()));
                assert!(!equal(&[&key[..], &[0]].concat(), &key), "{len} bytes, one more");
                for at in 0..len {
                    let mut other = key.clone();
                    other[at] ^= 0x80;
                    assert!(!equal(&key, &other), "{len} bytes, byte {at}");
                }
            }
        }
    }
}
