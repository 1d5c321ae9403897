//! The loops of `peer.h`, written once for all Rust maps.

use std::ffi::c_void;
use std::slice::from_raw_parts;
use std::sync::Arc;

/// `bench_work` of `peer.h`.
#[repr(C)]
pub struct Work {
    keys: *const u8,
    key_len: usize,
    count: usize,
    words: *const u64,
    writes: *const u8,
    value: *mut u8,
    value_len: usize,
    buffer: *mut u8,
}

pub type Loop = unsafe extern "C" fn(*mut c_void, *const Work) -> u64;

/// The number of reads in one section.
const SECTION: usize = 64;

/// A map from bytes to reference-counted bytes.
pub trait Map: Sync {
    /// Whether a reader always finds a key that is being set again.
    const SETS_IN_ONE_STEP: bool = true;

    /// The guard of reads in place, if it blocks nobody; `()` if each read takes its own guard.
    type Section<'a>
    where
        Self: 'a;

    fn make() -> Self;
    fn section(&self) -> Self::Section<'_>;
    fn set(&self, key: &[u8], value: Arc<[u8]>);
    fn counted(&self, key: &[u8]) -> Option<Arc<[u8]>>;
    fn in_place<R>(&self, section: &Self::Section<'_>, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R>;

    fn memoize(&self, key: &[u8], compute: impl FnOnce() -> Arc<[u8]>) -> Arc<[u8]> {
        self.counted(key).unwrap_or_else(|| {
            let value = compute();
            self.set(key, value.clone());
            value
        })
    }
}

/// One of the loops.
trait Operation {
    fn run<M: Map>(map: &M, work: &Work) -> u64;
}

/// All loops of one map.
pub struct Loops {
    pub make: extern "C" fn() -> *mut c_void,
    pub free: unsafe extern "C" fn(*mut c_void),
    pub insert: Loop,
    pub hit: [Option<Loop>; 3],
    pub dependent: [Option<Loop>; 3],
    pub memoize: Loop,
    pub mixed: [Option<Loop>; 3],
}

pub const fn loops_of<M: Map>() -> Loops {
    Loops {
        make: make::<M>,
        free: free::<M>,
        insert: enter::<M, Insert>,
        hit: [Some(enter::<M, Counted<false>>), Some(enter::<M, InPlace<false>>), Some(enter::<M, Copied<false>>)],
        dependent: [Some(enter::<M, Counted<true>>), Some(enter::<M, InPlace<true>>), Some(enter::<M, Copied<true>>)],
        memoize: enter::<M, Memoize>,
        mixed: match M::SETS_IN_ONE_STEP {
            true => [Some(enter::<M, MixedCounted>), Some(enter::<M, MixedInPlace>), None],
            false => [None; 3],
        },
    }
}

extern "C" fn make<M: Map>() -> *mut c_void {
    Box::into_raw(Box::new(M::make())).cast()
}

unsafe extern "C" fn free<M: Map>(map: *mut c_void) {
    // SAFETY: the harness passes the result of `make`, once.
    drop(unsafe { Box::from_raw(map.cast::<M>()) });
}

unsafe extern "C" fn enter<M: Map, O: Operation>(map: *mut c_void, work: *const Work) -> u64 {
    // SAFETY: the harness passes the result of `make`, and work that outlives the call.
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    O::run(map, work)
}

fn word(value: &[u8]) -> u64 {
    u64::from_ne_bytes(value[..8].try_into().unwrap())
}

impl Work {
    fn key(&self, place: usize) -> &[u8] {
        // SAFETY: the harness passes `count` keys of this length and one more.
        unsafe { from_raw_parts(self.keys.add(place * self.key_len), self.key_len) }
    }

    fn fresh(&self, place: usize) -> Arc<[u8]> {
        // SAFETY: the harness passes a word for each key, and a value for this thread alone.
        unsafe {
            self.value.cast::<u64>().write_unaligned(*self.words.add(place));
            Arc::from(from_raw_parts(self.value, self.value_len))
        }
    }

    /// Sets a key, and reads nothing.
    fn set<M: Map>(&self, map: &M, place: usize) -> u64 {
        map.set(self.key(place), self.fresh(place));
        0
    }

    fn writes(&self, place: usize) -> bool {
        // SAFETY: mixed work has a flag for each key.
        unsafe { *self.writes.add(place) != 0 }
    }

    /// Sums the results of `read` for the keys from `from` to `to`.
    fn sum<const DEPENDENT: bool>(&self, from: usize, to: usize, mut read: impl FnMut(usize, &[u8]) -> u64) -> u64 {
        let (mut sum, mut last) = (0u64, 0u64);
        for place in from..to {
            let shift = if DEPENDENT { (last >> 63) as usize } else { 0 };
            last = read(place, self.key(place + shift));
            sum = sum.wrapping_add(last);
        }
        sum
    }

    /// The same in read sections.
    fn sum_in_sections<const DEPENDENT: bool, M: Map>(
        &self,
        map: &M,
        mut read: impl FnMut(&M::Section<'_>, usize, &[u8]) -> u64,
    ) -> u64 {
        let mut sum = 0u64;
        for from in (0..self.count).step_by(SECTION) {
            let section = map.section();
            let to = (from + SECTION).min(self.count);
            sum = sum.wrapping_add(self.sum::<DEPENDENT>(from, to, |place, key| read(&section, place, key)));
        }
        sum
    }
}

struct Insert;

impl Operation for Insert {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        for place in 0..work.count {
            work.set(map, place);
        }
        work.count as u64
    }
}

struct Counted<const DEPENDENT: bool>;

impl<const DEPENDENT: bool> Operation for Counted<DEPENDENT> {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        work.sum::<DEPENDENT>(0, work.count, |_, key| map.counted(key).map_or(0, |value| word(&value)))
    }
}

struct InPlace<const DEPENDENT: bool>;

impl<const DEPENDENT: bool> Operation for InPlace<DEPENDENT> {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        work.sum_in_sections::<DEPENDENT, M>(map, |section, _, key| map.in_place(section, key, word).unwrap_or(0))
    }
}

struct Copied<const DEPENDENT: bool>;

impl<const DEPENDENT: bool> Operation for Copied<DEPENDENT> {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        work.sum::<DEPENDENT>(0, work.count, |_, key| {
            // SAFETY: the buffer is long enough for any value, and belongs to this thread.
            let copy = |value: &[u8]| unsafe { work.buffer.copy_from_nonoverlapping(value.as_ptr(), value.len()) };
            // SAFETY: a value is at least a word long.
            map.in_place(&map.section(), key, copy)
                .map_or(0, |()| unsafe { work.buffer.cast::<u64>().read_unaligned() })
        })
    }
}

struct Memoize;

impl Operation for Memoize {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        work.sum::<false>(0, work.count, |place, key| word(&map.memoize(key, || work.fresh(place))))
    }
}

struct MixedCounted;

impl Operation for MixedCounted {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        work.sum::<false>(0, work.count, |place, key| match work.writes(place) {
            true => work.set(map, place),
            false => map.counted(key).map_or(0, |value| word(&value)),
        })
    }
}

struct MixedInPlace;

impl Operation for MixedInPlace {
    fn run<M: Map>(map: &M, work: &Work) -> u64 {
        work.sum_in_sections::<false, M>(map, |section, place, key| match work.writes(place) {
            true => work.set(map, place),
            false => map.in_place(section, key, word).unwrap_or(0),
        })
    }
}
