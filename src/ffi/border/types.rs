//! Types
//!
//! Structs that begin with `struct_size` may grow at their end: set it to `sizeof` of the struct before every call.
//! All others are final. Of a struct going in that an older header has, what it lacks is zero; of one that a newer header
//! has, what this library does not know must be zero: anything else is ERROR_INVALID_ARGUMENT, as is a `reserved` field that
//! is not zero.

use std::ffi::{c_char, c_void};

/// What a call answers: 0 is OK, positive a normal outcome, negative an error.
pub type phicache_status = i32;

/// Done.
pub const PHICACHE_OK: i32 = 0;
/// The key has no value.
pub const PHICACHE_MISS: i32 = 1;
/// Not stored: the subsystem is cut.
pub const PHICACHE_REFUSED_CUT: i32 = 2;
/// Not stored: φ is not positive.
pub const PHICACHE_REFUSED_PHI: i32 = 3;
/// Not stored: the memory limit is reached.
pub const PHICACHE_REFUSED_MEMORY: i32 = 4;
/// Not stored: caching of this kind is switched off.
pub const PHICACHE_REFUSED_DISABLED: i32 = 5;
/// Not stored: the cache holds as many bytes as it may.
pub const PHICACHE_REFUSED_CAPACITY: i32 = 6;
/// Not stored: the key was removed, or the cache cleared, while the value was computed; or its lease ran out.
pub const PHICACHE_REFUSED_CLEARED: i32 = 7;
/// The caller is to compute the value.
pub const PHICACHE_LEASE: i32 = 8;
/// Another computes the value.
pub const PHICACHE_BUSY: i32 = 9;
/// The time is up.
pub const PHICACHE_TIMEOUT: i32 = 10;
/// Not stored: the server failed.
pub const PHICACHE_REFUSED_SERVER: i32 = 11;

/// An argument is NULL, out of range, or does not fit the others.
pub const PHICACHE_ERROR_INVALID_ARGUMENT: i32 = -1;
/// A handle was freed, or is of another type.
pub const PHICACHE_ERROR_INVALID_HANDLE: i32 = -2;
/// The compute callback returned a code other than 0.
pub const PHICACHE_ERROR_CALLBACK: i32 = -3;
/// A computation asked for the key that it computes.
pub const PHICACHE_ERROR_RECURSION: i32 = -4;
/// The answer is longer than the buffer; the needed length is given.
pub const PHICACHE_ERROR_BUFFER_TOO_SMALL: i32 = -5;
/// An allocation failed; nothing has changed.
pub const PHICACHE_ERROR_OUT_OF_MEMORY: i32 = -6;
/// The Redis server could not be asked, or refused; the message says what was tried, where, and what went wrong.
pub const PHICACHE_ERROR_REDIS: i32 = -7;
/// The library was built without what the call needs.
pub const PHICACHE_ERROR_UNSUPPORTED: i32 = -8;
/// The library itself failed; please report it with the message.
pub const PHICACHE_ERROR_PANIC: i32 = -9;
/// The environment holds an invalid setting; the message names it.
pub const PHICACHE_ERROR_CONFIGURATION: i32 = -10;
/// A live cache has this name.
pub const PHICACHE_ERROR_NAME_IN_USE: i32 = -11;
/// The bytes are no record, or damaged.
pub const PHICACHE_ERROR_DAMAGED: i32 = -12;

/// The value was in the cache.
pub const PHICACHE_ORIGIN_HIT: u32 = 1;
/// This call computed the value, and it was stored, unless the key got another value meanwhile: then that stays.
pub const PHICACHE_ORIGIN_COMPUTED: u32 = 2;
/// Another thread computed the value while this one waited.
pub const PHICACHE_ORIGIN_WAITED: u32 = 3;
/// The value was inherited from the cache's parent.
pub const PHICACHE_ORIGIN_PARENT: u32 = 4;
/// This call computed the value, and it was not stored; the status that says why is added (none: memory is out).
pub const PHICACHE_ORIGIN_NOT_STORED: u32 = 256;

/// The past state of a purview.
pub const PHICACHE_CAUSE: i32 = 0;
/// The future state of a purview.
pub const PHICACHE_EFFECT: i32 = 1;
/// Both; in keys only.
pub const PHICACHE_BIDIRECTIONAL: i32 = 2;

/// In `phicache_features`: built with Redis.
pub const PHICACHE_FEATURE_REDIS: u32 = 1;
/// In `phicache_features`: built with TLS for Redis.
pub const PHICACHE_FEATURE_TLS: u32 = 2;

/// In `phicache_memory`: the sizes of the process could be read.
pub const PHICACHE_KNOWN_SIZES: u32 = 1;
/// In `phicache_memory`: the physical memory is known.
pub const PHICACHE_KNOWN_PHYSICAL: u32 = 2;
/// In `phicache_memory`: the limits of all control groups that the process is in could be read, or there are none.
pub const PHICACHE_KNOWN_GROUP_LIMITS: u32 = 4;
/// In `phicache_memory`: what those of them use that have a limit could be read.
pub const PHICACHE_KNOWN_GROUP_USAGE: u32 = 8;
/// In `phicache_memory`: RLIMIT_AS and RLIMIT_DATA could be read.
pub const PHICACHE_KNOWN_PROCESS_LIMITS: u32 = 16;

/// A dict cache.
pub const PHICACHE_KIND_DICT: i32 = 1;
/// A purview cache.
pub const PHICACHE_KIND_PURVIEW: i32 = 2;
/// A MICE cache.
pub const PHICACHE_KIND_MICE: i32 = 3;
/// A Redis cache.
pub const PHICACHE_KIND_REDIS: i32 = 4;
/// A MICE cache in Redis.
pub const PHICACHE_KIND_REDIS_MICE: i32 = 5;

/// A matrix that lies row after row, as in C.
pub const PHICACHE_ROW_MAJOR: i32 = 0;
/// A matrix that lies column after column, as in Julia and Fortran.
pub const PHICACHE_COLUMN_MAJOR: i32 = 1;

/// A maximum memory that lifts the limit; the walls stay (see "The library").
pub const PHICACHE_MEMORY_UNLIMITED: f64 = -1.0;
/// A memo's maximum memory that is the configuration's.
pub const PHICACHE_MEMORY_CONFIGURED: f64 = -2.0;

/// A buffer of this many bytes holds every key that `phicache_key_repertoire`, `phicache_key_mice` (without candidate
/// purviews) and `phicache_subsystem_key` write with a prefix of up to 64 bytes.
pub const PHICACHE_KEY_BUFFER: usize = 768;

/// Bytes that are lent for the duration of a call. With a length of 0 the pointer may be anything.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_bytes {
    /// The first byte.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// A pinned value: its bytes stay valid and unchanged until `phicache_value_release`, whatever happens to the cache.
///
/// Copying the struct adds no pin: release one of the copies, once, from any thread.
#[repr(C)]
pub struct phicache_value {
    /// The value's first byte, at 16-byte alignment.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
    /// What keeps the bytes alive. Not for callers.
    pub pin: *mut c_void,
    /// Where the value came from: one of `PHICACHE_ORIGIN_…`.
    pub origin: u32,
    /// Zero.
    pub reserved: u32,
}

/// What PyPhi's caches tell: lookups that found a value, lookups that found none, values held now.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_info {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Values held now.
    pub size: u64,
}

/// All figures of a cache. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_stats {
    /// `sizeof(phicache_stats)`, set by the caller.
    pub struct_size: usize,
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Values held now, inherited ones included.
    pub size: u64,
    /// Bytes held now, overhead included, inherited values not. Values that were replaced, removed or cleared count
    /// until their last pin is released.
    pub bytes: u64,
    /// Values stored.
    pub stores: u64,
    /// Values refused because the subsystem is cut.
    pub refused_cut: u64,
    /// Values refused because φ is not positive.
    pub refused_phi: u64,
    /// Values refused because the memory limit was reached.
    pub refused_memory: u64,
    /// Values refused because caching of this kind was off.
    pub refused_disabled: u64,
    /// Values refused because the cache held as many bytes as it may.
    pub refused_capacity: u64,
    /// Values that were computed while their key was removed or the cache cleared, and so not stored.
    pub refused_cleared: u64,
    /// Hits for which a caller waited until another had computed the value.
    pub waits: u64,
    /// Computations that failed: their callback said so, or their value could not be had (no memory) or kept (no record).
    /// Leases that are abandoned are not counted.
    pub errors: u64,
    /// Nanoseconds spent in computations that succeeded.
    pub compute_ns: u64,
    /// Nanoseconds saved: hits times the mean computation.
    pub saved_ns: u64,
    /// Values that were refused because the server failed.
    pub refused_server: u64,
    /// Values at the server that were damaged, or somebody else's: each counted as a miss.
    pub damaged: u64,
}

/// The memory of this process. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_memory {
    /// `sizeof(phicache_memory)`, set by the caller.
    pub struct_size: usize,
    /// The resident size as a percentage of the limit.
    pub percent: f64,
    /// Bytes of physical memory that the process occupies, as far as is known; at least what caches hold.
    pub resident: u64,
    /// Bytes it may occupy: physical memory, or the lowest limit of the control groups that it is in. 0 if no figure was
    /// ever available.
    pub limit: u64,
    /// Bytes of physical memory of the machine; 0 if no figure was ever available.
    pub physical: u64,
    /// Bytes held by all caches of this process.
    pub held: u64,
    /// Bytes that caches may take before the process comes to a wall (see "The library"); UINT64_MAX if there is none.
    pub room: u64,
    /// Which figures could be read just now: a sum of `PHICACHE_KNOWN_…`. For the others the last good figure counts.
    pub known: u32,
    /// Zero.
    pub reserved: u32,
}

/// What a cache may be given when it is made. All zero but the size is the default. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_cache_options {
    /// `sizeof(phicache_cache_options)`, set by the caller.
    pub struct_size: usize,
    /// A name of 1 to 63 bytes, which no other live cache has; NULL for none.
    pub name: *const c_char,
    /// The most bytes the cache may hold in this process, overhead included; 0 for no limit beside the memory's. A value
    /// that replaces another needs room beside it.
    pub max_bytes: u64,
    /// For caches in Redis: after how many milliseconds the server forgets a value, at most 10^14; 0 is never.
    pub ttl_ms: u64,
    /// For caches in Redis: how many milliseconds a process may take to compute a value before another computes it too, at
    /// most 10^14; 0 lets every process compute. See "Redis cache".
    pub lease_ms: u64,
    /// For caches in Redis: whether a server that fails is ERROR_REDIS; 0 makes it a miss that is counted.
    pub server_errors: i32,
    /// For caches in Redis: whether values are stored as they are, for others to read and write, without what ties each to
    /// its key; 0 stores them with a checksum, and takes what has none that fits for a miss. See "Redis cache".
    pub no_checksum: i32,
    /// For caches in Redis: how many milliseconds `clear`, `size`, `info` and `stats` may go through the names at the
    /// server, at most 10^14, of which an hour counts; 0 is 30,000. The operation that is under way then is still waited
    /// for, at most for the timeout of one.
    pub scan_timeout_ms: u64,
}

/// How a Redis server is doing, as all caches see it that were made with the same connection settings. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_redis_health {
    /// `sizeof(phicache_redis_health)`, set by the caller.
    pub struct_size: usize,
    /// Operations that failed: no connection, no answer in time, a connection that broke, nonsense; and values that were
    /// passed over, being longer than `max_bytes`.
    pub failures: u64,
    /// Operations that the server refused, for example because it was full; `last_error` says what to do.
    pub refusals: u64,
    /// Operations that were not tried, because the server had just failed.
    pub skipped: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Those of them that replaced one that broke.
    pub reconnects: u64,
    /// For how many milliseconds from now on operations are not tried; 0 when the server is well.
    pub skipping_ms: u64,
    /// What the last operation that failed or was refused had to say, NUL-terminated; empty when there was none.
    pub last_error: [c_char; 256],
}

/// A maximally irreducible cause or effect. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_mice {
    /// `sizeof(phicache_mice)`, set by the caller.
    pub struct_size: usize,
    /// `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
    pub direction: i32,
    /// Zero.
    pub reserved: u32,
    /// The mechanism, as a node set.
    pub mechanism: u64,
    /// The purview, as a node set.
    pub purview: u64,
    /// The purview's φ; not NaN.
    pub phi: f64,
    /// What else belongs to it, in the caller's own format; 16-byte aligned where it comes from a cache.
    pub payload: phicache_bytes,
}

/// A named cache. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_registry_item {
    /// `sizeof(phicache_registry_item)`, set by the caller in the first item of a list.
    pub struct_size: usize,
    /// The cache's name, NUL-terminated.
    pub name: [c_char; 64],
    /// One of `PHICACHE_KIND_…`.
    pub kind: i32,
    /// Zero.
    pub reserved: u32,
    /// Hits, misses and size.
    pub info: phicache_info,
}

/// The identity of a network or of a subsystem: BLAKE3-256.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_fingerprint {
    /// The bytes.
    pub bytes: [u8; 32],
}

/// Settings that caches share.
pub struct phicache_config;
/// An argument list on its way to a key.
pub struct phicache_key;
/// Any cache: what a `phicache_…_cache` is seen as. Owns nothing.
pub struct phicache_cache;
/// PyPhi's `DictCache`: bytes by bytes.
pub struct phicache_dict_cache;
/// PyPhi's `RedisCache`: bytes by bytes at a server, for many processes.
pub struct phicache_redis_cache;
/// PyPhi's `PurviewCache`: lists of purviews of a network.
pub struct phicache_purview_cache;
/// PyPhi's `MICECache`: the MICE of a subsystem.
pub struct phicache_mice_cache;
/// PyPhi's `cache` decorator: a function with its cache.
pub struct phicache_memo;
/// PyPhi's `method` decorator: a function that uses its object's cache.
pub struct phicache_method;
/// A candidate system of a network in a state, under a cut or none.
pub struct phicache_subsystem;
/// The duty to compute a value, without a callback.
pub struct phicache_lease;
/// Where a compute callback writes its value; lives as long as the callback runs.
pub struct phicache_result;

/// Computes the value of `key` and writes it into `result` by `phicache_result_reserve`. If its last attempt to reserve
/// fails, the call fails with the same status, whatever is returned here.
///
/// `user_data` was given together with the function, `call_data` with the call. Return 0, or a code of your own: then
/// nothing is cached, and the code comes back to the caller unchanged. The callback runs on the caller's thread, under
/// no lock, and may call the library, also for other keys of the same cache. It must return: an exception that leaves it
/// ends the process with one line that names the function, and leaving it by longjmp or by ending the thread is undefined.
/// `result` is gone when it has returned.
pub type phicache_compute = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        call_data: *mut c_void,
        key: phicache_bytes,
        result: *mut phicache_result,
    ) -> i32,
>;

/// Frees a `user_data`: called exactly once, after the last call has ended, also when registering fails.
pub type phicache_drop = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
