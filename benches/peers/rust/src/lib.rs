//! Concurrent maps and caches in Rust as contenders of `peer.h`: keys are boxed bytes, values `Arc<[u8]>`, the hash
//! is foldhash's fast one. `maps.rs` has the maps, `loops.rs` the loops.

mod loops;
mod maps;

use std::ffi::{CStr, c_char, c_void};

use loops::{Loop, Map, loops_of};

/// The number of forms in `bench_form`: counted, in place, copied.
const FORMS: usize = 3;

/// `bench_peer` of `peer.h`.
#[repr(C)]
pub struct Peer {
    name: *const c_char,
    thread_safe: i32,
    make: Option<extern "C" fn() -> *mut c_void>,
    free: Option<unsafe extern "C" fn(*mut c_void)>,
    insert: Option<Loop>,
    hit: [Option<Loop>; FORMS],
    dependent: [Option<Loop>; FORMS],
    memoize: Option<Loop>,
    batch: [Option<Loop>; FORMS],
    mixed: [Option<Loop>; FORMS],
}

// SAFETY: names and functions are static.
unsafe impl Sync for Peer {}

const fn peer<M: Map>(name: &'static CStr) -> Peer {
    let loops = loops_of::<M>();
    Peer {
        name: name.as_ptr(),
        thread_safe: 1,
        make: Some(loops.make),
        free: Some(loops.free),
        insert: Some(loops.insert),
        hit: loops.hit,
        dependent: loops.dependent,
        memoize: Some(loops.memoize),
        batch: [None; FORMS],
        mixed: loops.mixed,
    }
}

const END: Peer = Peer {
    name: std::ptr::null(),
    thread_safe: 0,
    make: None,
    free: None,
    insert: None,
    hit: [None; FORMS],
    dependent: [None; FORMS],
    memoize: None,
    batch: [None; FORMS],
    mixed: [None; FORMS],
};

static PEERS: [Peer; 8] = [
    peer::<maps::Dash>(c"dashmap"),
    peer::<maps::Papaya>(c"papaya"),
    peer::<maps::SccMap>(c"scc::HashMap"),
    peer::<maps::SccIndex>(c"scc::HashIndex"),
    peer::<maps::Quick>(c"quick_cache"),
    peer::<maps::Moka>(c"moka"),
    peer::<maps::Shards>(c"64 RwLock shards"),
    END,
];

/// The list of peers, which ends with one without a name.
#[unsafe(no_mangle)]
pub extern "C" fn bench_rust() -> *const Peer {
    PEERS.as_ptr()
}
