//! Spare memory, for small allocations without which a computed value would be lost: its own block, and what calls
//! that reach outside of this process need, such as paths, names and texts of failures. Code that makes those cannot
//! report a failed allocation, and would end the process.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::sync::Mutex;

/// The bytes that one call needs at most. Up to this size glibc frees a block without consolidating all others.
const ROOM: usize = 32 << 10;

/// A block that is given up when memory runs out; empty while it is given up.
static SPARE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Whether there is a spare block, without the lock.
static IS_KEPT: AtomicBool = AtomicBool::new(false);

/// Makes the spare block, if there is none.
pub fn keep() {
    if !IS_KEPT.load(Ordering::Relaxed) {
        make_room();
    }
}

/// Makes sure that small allocations of the next moments succeed: with the spare block, once no other memory is left.
pub fn make_room() {
    // The model checker's locks last for one execution.
    if cfg!(shuttle) {
        return;
    }
    let mut spare = SPARE.lock();
    if spare.capacity() == 0 {
        *spare = block(ROOM).unwrap_or_default();
    }
    if check(ROOM).is_err() {
        *spare = Vec::new();
    }
    IS_KEPT.store(spare.capacity() > 0, Ordering::Relaxed);
}

/// Fails if a call cannot have this many bytes now.
pub fn check(bytes: usize) -> Result<()> {
    block(bytes).map(drop)
}

fn block(bytes: usize) -> Result<Vec<u8>> {
    let mut block = Vec::new();
    block.try_reserve_exact(bytes).map_err(|_| Error::OutOfMemory(bytes))?;
    // The compiler may leave out an allocation that nobody uses.
    Ok(black_box(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spare_block_is_kept_while_there_is_memory() {
        make_room();
        let kept = SPARE.lock().as_ptr();
        make_room();
        let spare = SPARE.lock();
        assert_eq!((spare.as_ptr(), spare.capacity()), (kept, ROOM));
    }
}
