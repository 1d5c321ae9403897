//! Long keys, on processors with instructions for AES rounds and blocks of 32 bytes: their hash, and a lookup in one
//! function that calls no other.
//!
//! Two repertoires are a key of 64 to 1,024 bytes. A multiplication takes in 16 bytes, as rapidhash uses it; so does an
//! AES round, in a quarter of the instructions. Each of eight lanes of 16 bytes takes in every eighth block: a round adds
//! the block, a second round with a secret spreads it over the lane before the next block comes. Then the lanes are
//! joined, and three rounds spread every bit of them over the result. Secrets begin the lanes, so prepared keys do not
//! collide in another process.
//!
//! Two keys are compared in blocks of 32 bytes, of which the last overlap.
//!
//! Without these instructions, and for other lengths, the hash is rapidhash, and the lookup is that of `lookup.rs`.

use rapidhash::v3::RapidSecrets;

use super::hash::ORDINARY;

#[cfg(target_arch = "x86_64")]
pub(super) use x86::find;

/// The keys that [`find`] finds are longer than ordinary ones. Only with the instructions is it called.
#[cfg(target_arch = "x86_64")]
pub(super) const SHORTEST: usize = *ORDINARY.end() + 1;

/// The hash of keys that are not ordinary, if this processor can compute it by AES rounds.
pub(super) fn detect() -> Option<fn(&[u8], &RapidSecrets) -> u64> {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("avx2") {
        return Some(x86::hash);
    }
    None
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_aesenc_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_set1_epi64x, _mm_xor_si128,
        _mm256_loadu_si256, _mm256_or_si256, _mm256_testz_si256, _mm256_xor_si256,
    };

    use rapidhash::v3::RapidSecrets;

    use super::super::directory::Directory;
    use super::super::entry::EntryRef;
    use super::super::hash::{Hashed, of_other};
    use super::super::segment::{self, Probe};

    const BLOCK: usize = size_of::<__m128i>();
    /// The bytes that all eight lanes take in at once, and that four do.
    const ROUND: usize = 8 * BLOCK;
    const HALF: usize = 4 * BLOCK;

    pub(super) fn hash(key: &[u8], secrets: &RapidSecrets) -> u64 {
        if key.len() < HALF {
            return of_other(key, secrets);
        }
        // SAFETY: `detect` returns this function only if the processor has the instructions; the key is long enough.
        unsafe { of_long(key, secrets) }
    }

    /// Finds a key.
    ///
    /// # Safety
    /// The processor has the instructions, and the key is at least `SHORTEST` bytes long. The directory, its segments and
    /// their entries live for `'g`.
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) unsafe fn find<'g>(directory: *mut Directory, key: &[u8]) -> Option<EntryRef<'g>> {
        // SAFETY: the caller's promise.
        unsafe {
            let key = Hashed::with_hash(key, of_long(key, &Directory::secrets(directory).words));
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

    /// A round with the next block, and one with a secret.
    macro_rules! take_in {
        ($lane:ident, $block:expr, $secret:ident) => {
            $lane = _mm_aesenc_si128(_mm_aesenc_si128($lane, $block), $secret)
        };
    }

    /// # Safety
    /// The key has at least half a round.
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    unsafe fn of_long(key: &[u8], secrets: &RapidSecrets) -> u64 {
        let (start, words) = (key.as_ptr(), secrets.secrets.as_ptr());
        // SAFETY: `at` is at most five in the seven words below, and each block below is inside the key.
        let (secret, block) = unsafe {
            (
                |at: usize| _mm_loadu_si128(words.add(at).cast()),
                |at: usize, number: usize| _mm_loadu_si128(start.add(at + number * BLOCK).cast()),
            )
        };
        let (p, q, r, s) = (secret(0), secret(2), secret(4), secret(5));
        let len = _mm_set1_epi64x(key.len().cast_signed() as i64);
        let (mut a, mut b, mut c, mut d) = (_mm_xor_si128(p, len), q, r, s);
        let (mut e, mut f, mut g, mut h) = (s, _mm_xor_si128(q, len), p, r);
        let mut at = 0;
        // The last blocks overlap with earlier ones, unless the length is a multiple.
        let last = if key.len() >= ROUND {
            let last = key.len() - ROUND;
            while at < last {
                take_in!(a, block(at, 0), p);
                take_in!(b, block(at, 1), q);
                take_in!(c, block(at, 2), r);
                take_in!(d, block(at, 3), s);
                take_in!(e, block(at, 4), p);
                take_in!(f, block(at, 5), q);
                take_in!(g, block(at, 6), r);
                take_in!(h, block(at, 7), s);
                at += ROUND;
            }
            at = last;
            last + HALF
        } else {
            key.len() - HALF
        };
        take_in!(a, block(at, 0), p);
        take_in!(b, block(at, 1), q);
        take_in!(c, block(at, 2), r);
        take_in!(d, block(at, 3), s);
        take_in!(e, block(last, 0), p);
        take_in!(f, block(last, 1), q);
        take_in!(g, block(last, 2), r);
        take_in!(h, block(last, 3), s);
        let join = |a: __m128i, b: __m128i| _mm_aesenc_si128(a, b);
        let joined = join(join(join(a, b), join(c, d)), join(join(e, f), join(g, h)));
        let spread = join(join(join(joined, p), q), r);
        _mm_cvtsi128_si64(spread).cast_unsigned()
    }

    #[cfg(all(test, not(shuttle)))]
    mod tests {
        use super::*;

        #[test]
        fn long_keys_are_equal_when_all_their_bytes_are() {
            if super::super::detect().is_none() {
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
