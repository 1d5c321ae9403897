//! The hash of keys that are not ordinary (`hash.rs`).
//!
//! Two repertoires are a key of 64 to 1,024 bytes. A multiplication takes in 16 bytes, as rapidhash uses it; so does an
//! AES round, in a quarter of the instructions. Each of eight lanes of 16 bytes takes in every eighth block: a round
//! adds the block, a second round with a secret spreads it over the lane before the next block comes. Then the lanes
//! are joined, and three rounds spread every bit of them over the result. Secrets begin the lanes, so prepared keys do
//! not collide in another process.
//!
//! Without these instructions, and for keys of less than four blocks, the hash is rapidhash.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

#[cfg(target_arch = "x86_64")]
pub(super) use x86::of_long;

/// The hash of any key, by rapidhash.
pub(super) fn by_rapidhash(key: &[u8], secrets: &RapidSecrets) -> u64 {
    rapidhash_v3_seeded(key, secrets)
}

/// The hash of any key, if this processor can compute that of long ones by AES rounds.
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
        __m128i, _mm_aesenc_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_set1_epi64x, _mm_xor_si128,
    };

    use rapidhash::v3::RapidSecrets;

    use super::by_rapidhash;

    const BLOCK: usize = size_of::<__m128i>();
    /// The bytes that all eight lanes take in at once, and that four do.
    const ROUND: usize = 8 * BLOCK;
    const HALF: usize = 4 * BLOCK;

    pub(super) fn hash(key: &[u8], secrets: &RapidSecrets) -> u64 {
        if key.len() < HALF {
            return by_rapidhash(key, secrets);
        }
        // SAFETY: `detect` returns this function only if the processor has the instructions; the key is long enough.
        unsafe { of_long(key, secrets) }
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
    pub(in super::super) unsafe fn of_long(key: &[u8], secrets: &RapidSecrets) -> u64 {
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
}
