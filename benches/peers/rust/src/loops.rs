//! What is done with a map: the loops of `peer.h`, written once for all.

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

/// Reads that share one section.
const SECTION: usize = 64;

/// A map from bytes to counted bytes.
pub trait Map: Sync {
    /// Whether a key that is set again is always found meanwhile.
    const SETS_IN_ONE_STEP: bool = true;

    /// What protects reads in place without holding anybody up; `()` where each read takes its own guard.
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
        insert: insert::<M>,
        hit: [Some(counted::<M, false>), Some(in_place::<M, false>), Some(copied::<M, false>)],
        dependent: [Some(counted::<M, true>), Some(in_place::<M, true>), Some(copied::<M, true>)],
        memoize: memoize::<M>,
        mixed: if M::SETS_IN_ONE_STEP {
            [Some(mixed_counted::<M>), Some(mixed_in_place::<M>), None]
        } else {
            [None; 3]
        },
    }
}

fn word(value: &[u8]) -> u64 {
    u64::from_ne_bytes(value[..8].try_into().unwrap())
}

impl Work {
    fn key(&self, place: usize) -> &[u8] {
        // SAFETY: the harness gives `count` keys of this length, and one more to fall back on.
        unsafe { from_raw_parts(self.keys.add(place * self.key_len), self.key_len) }
    }

    fn fresh(&self, place: usize) -> Arc<[u8]> {
        // SAFETY: the harness gives a word for each key, and a value for this thread alone.
        unsafe {
            self.value.cast::<u64>().write_unaligned(*self.words.add(place));
            Arc::from(from_raw_parts(self.value, self.value_len))
        }
    }

    fn writes(&self, place: usize) -> bool {
        // SAFETY: mixed work has a flag for each key.
        unsafe { *self.writes.add(place) != 0 }
    }

    /// Sums what `read` makes of the keys from `from` to `to`.
    fn sum<const DEPENDENT: bool>(&self, from: usize, to: usize, mut read: impl FnMut(usize, &[u8]) -> u64) -> u64 {
        let (mut sum, mut last) = (0u64, 0u64);
        for place in from..to {
            let shift = if DEPENDENT { (last >> 63) as usize } else { 0 };
            last = read(place, self.key(place + shift));
            sum = sum.wrapping_add(last);
        }
        sum
    }

    /// The same in sections.
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

extern "C" fn make<M: Map>() -> *mut c_void {
    Box::into_raw(Box::new(M::make())).cast()
}

// SAFETY of all that follow: the harness hands back what `make` gave, and valid work.

unsafe extern "C" fn free<M: Map>(map: *mut c_void) {
    drop(unsafe { Box::from_raw(map.cast::<M>()) });
}

unsafe extern "C" fn insert<M: Map>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    (0..work.count).for_each(|place| map.set(work.key(place), work.fresh(place)));
    work.count as u64
}

unsafe extern "C" fn counted<M: Map, const DEPENDENT: bool>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    work.sum::<DEPENDENT>(0, work.count, |_, key| map.counted(key).map_or(0, |value| word(&value)))
}

unsafe extern "C" fn in_place<M: Map, const DEPENDENT: bool>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    work.sum_in_sections::<DEPENDENT, M>(map, |section, _, key| map.in_place(section, key, word).unwrap_or(0))
}

unsafe extern "C" fn copied<M: Map, const DEPENDENT: bool>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    work.sum::<DEPENDENT>(0, work.count, |_, key| {
        // SAFETY: the buffer holds any value, and is this thread's.
        let copy = |value: &[u8]| unsafe { work.buffer.copy_from_nonoverlapping(value.as_ptr(), value.len()) };
        // SAFETY: a value is at least a word long.
        map.in_place(&map.section(), key, copy).map_or(0, |()| unsafe { work.buffer.cast::<u64>().read_unaligned() })
    })
}

unsafe extern "C" fn memoize<M: Map>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    work.sum::<false>(0, work.count, |place, key| word(&map.memoize(key, || work.fresh(place))))
}

unsafe extern "C" fn mixed_counted<M: Map>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    work.sum::<false>(0, work.count, |place, key| {
        if work.writes(place) {
            map.set(key, work.fresh(place));
            return 0;
        }
        map.counted(key).map_or(0, |value| word(&value))
    })
}

unsafe extern "C" fn mixed_in_place<M: Map>(map: *mut c_void, work: *const Work) -> u64 {
    let (map, work) = unsafe { (&*map.cast::<M>(), &*work) };
    work.sum_in_sections::<false, M>(map, |section, place, key| {
        if work.writes(place) {
            map.set(key, work.fresh(place));
            return 0;
        }
        map.in_place(section, key, word).unwrap_or(0)
    })
}
