//! Types
//!
//! A struct that begins with `struct_size` may grow at its end: set that field to `sizeof` of the struct before every
//! call. `phicache_memory memory = { 0 };` (in C++ `{}`), then `memory.struct_size = sizeof memory;`, compiles without
//! a warning; `{ sizeof memory }` leaves fields out, which `-Wextra` reports. All other structs are final. An input
//! struct may come from an older header: the fields that it lacks count as zero. It may come from a newer header: the
//! fields that this library does not know must be zero, or the call is ERROR_INVALID_ARGUMENT. A `reserved` field must
//! be zero too.

use std::ffi::{c_char, c_void};

/// What a call returns: 0 is OK, positive numbers are normal outcomes, negative numbers are errors.
pub type phicache_status = i32;

/// Success.
pub const PHICACHE_OK: i32 = 0;
/// The key has no value.
pub const PHICACHE_MISS: i32 = 1;
/// Not stored: the subsystem is cut.
pub const PHICACHE_REFUSED_CUT: i32 = 2;
/// Not stored: φ is not positive.
pub const PHICACHE_REFUSED_PHI: i32 = 3;
/// Not stored: the memory limit is reached.
pub const PHICACHE_REFUSED_MEMORY: i32 = 4;
/// Not stored: caching of this kind is switched off, or the cache is read only.
pub const PHICACHE_REFUSED_DISABLED: i32 = 5;
/// Not stored: the cache has reached its `max_bytes`.
pub const PHICACHE_REFUSED_CAPACITY: i32 = 6;
/// Not stored: while the value was computed, its key was removed, its cache was cleared, or its lease expired.
pub const PHICACHE_REFUSED_CLEARED: i32 = 7;
/// The caller computes the value: it holds the lease.
pub const PHICACHE_LEASE: i32 = 8;
/// Another owner computes the value.
pub const PHICACHE_BUSY: i32 = 9;
/// The time limit of the call has passed.
pub const PHICACHE_TIMEOUT: i32 = 10;
/// Not stored: the server failed.
pub const PHICACHE_REFUSED_SERVER: i32 = 11;
/// Not stored: a file operation of a disk cache failed, for example because the disk is full.
pub const PHICACHE_REFUSED_STORAGE: i32 = 12;

/// An argument is NULL, out of range, or contradicts another.
pub const PHICACHE_ERROR_INVALID_ARGUMENT: i32 = -1;
/// A handle is not valid: it was freed, or is of another type.
pub const PHICACHE_ERROR_INVALID_HANDLE: i32 = -2;
/// The compute callback returned a code other than 0.
pub const PHICACHE_ERROR_CALLBACK: i32 = -3;
/// A computation requested the key that it computes itself.
pub const PHICACHE_ERROR_RECURSION: i32 = -4;
/// The result is longer than the buffer. The call returns the length that is needed.
pub const PHICACHE_ERROR_BUFFER_TOO_SMALL: i32 = -5;
/// An allocation failed; nothing has changed.
pub const PHICACHE_ERROR_OUT_OF_MEMORY: i32 = -6;
/// The Redis server could not be reached, or refused. The message says what was tried, where, and why it failed.
pub const PHICACHE_ERROR_REDIS: i32 = -7;
/// The library was built without a feature that the call needs.
pub const PHICACHE_ERROR_UNSUPPORTED: i32 = -8;
/// A bug in the library; please report it with the message.
pub const PHICACHE_ERROR_PANIC: i32 = -9;
/// An environment variable has an invalid value; the message names it.
pub const PHICACHE_ERROR_CONFIGURATION: i32 = -10;
/// Another cache has this name.
pub const PHICACHE_ERROR_NAME_IN_USE: i32 = -11;
/// The bytes are not a MICE record, or the file is not one that a cache was saved to; or they are damaged.
pub const PHICACHE_ERROR_DAMAGED: i32 = -12;
/// A file operation of a disk cache failed. The message says what was tried, where, and why it failed.
pub const PHICACHE_ERROR_STORAGE: i32 = -13;

/// The value was in the cache.
pub const PHICACHE_ORIGIN_HIT: u32 = 1;
/// This call computed the value. The cache stored it, or kept another value that the key got meanwhile.
pub const PHICACHE_ORIGIN_COMPUTED: u32 = 2;
/// Another thread or process computed the value while this thread waited.
pub const PHICACHE_ORIGIN_WAITED: u32 = 3;
/// The value was inherited from the cache's parent.
pub const PHICACHE_ORIGIN_PARENT: u32 = 4;
/// This call computed the value, and the cache did not store it. The status that says why is added; 0 means that an
/// allocation failed.
pub const PHICACHE_ORIGIN_NOT_STORED: u32 = 256;

/// As `on_full`: as configured. In a configuration, the default: a cache that reaches its `max_bytes` evicts, and one
/// that reaches the process's memory limit refuses (see "The library").
pub const PHICACHE_ON_FULL_DEFAULT: i32 = 0;
/// As `on_full`: a full cache refuses new values.
pub const PHICACHE_ON_FULL_REFUSE: i32 = 1;
/// As `on_full`: a full cache evicts values, so that new ones fit.
pub const PHICACHE_ON_FULL_EVICT: i32 = 2;

/// The past state of a purview.
pub const PHICACHE_CAUSE: i32 = 0;
/// The future state of a purview.
pub const PHICACHE_EFFECT: i32 = 1;
/// Both directions; in keys only.
pub const PHICACHE_BIDIRECTIONAL: i32 = 2;

/// In `phicache_features`: built with Redis.
pub const PHICACHE_FEATURE_REDIS: u32 = 1;
/// In `phicache_features`: built with TLS for Redis.
pub const PHICACHE_FEATURE_TLS: u32 = 2;

/// In `phicache_memory`: the process's memory use could be read.
pub const PHICACHE_KNOWN_SIZES: u32 = 1;
/// In `phicache_memory`: the physical memory is known.
pub const PHICACHE_KNOWN_PHYSICAL: u32 = 2;
/// In `phicache_memory`: the limits of all control groups of the process could be read, or there are none.
pub const PHICACHE_KNOWN_GROUP_LIMITS: u32 = 4;
/// In `phicache_memory`: the memory use of those groups that have a limit could be read.
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
/// A disk cache.
pub const PHICACHE_KIND_DISK: i32 = 6;
/// A MICE cache on disk.
pub const PHICACHE_KIND_DISK_MICE: i32 = 7;

/// A matrix is stored row by row, as in C.
pub const PHICACHE_ROW_MAJOR: i32 = 0;
/// A matrix is stored column by column, as in Julia and Fortran.
pub const PHICACHE_COLUMN_MAJOR: i32 = 1;

/// As a maximum memory: no limit. The hard limits remain (see "The library").
pub const PHICACHE_MEMORY_UNLIMITED: f64 = -1.0;
/// For a memo: the maximum memory of its configuration.
pub const PHICACHE_MEMORY_CONFIGURED: f64 = -2.0;

/// The size of a buffer that holds every key of `phicache_key_repertoire`, `phicache_key_mice` (without candidate
/// purviews) and `phicache_subsystem_key` with a prefix of at most 64 bytes.
pub const PHICACHE_KEY_BUFFER: usize = 768;

/// Bytes that are borrowed for the duration of a call. If the length is 0, the pointer may be anything, also NULL.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_bytes {
    /// The first byte.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// A pinned value: its bytes stay valid and unchanged until `phicache_value_release`, even if the cache is freed.
///
/// Copying the struct adds no pin: release exactly one of the copies, once, from any thread.
#[repr(C)]
pub struct phicache_value {
    /// The value's first byte, at 16-byte alignment.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
    /// Keeps the bytes alive. Not for callers.
    pub pin: *mut c_void,
    /// Where the value came from: one of `PHICACHE_ORIGIN_…`.
    pub origin: u32,
    /// Zero.
    pub reserved: u32,
}

/// Hits, misses and size, as PyPhi's caches report them.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_info {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found no value.
    pub misses: u64,
    /// Values in the cache now.
    pub size: u64,
}

/// All statistics of a cache. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_stats {
    /// `sizeof(phicache_stats)`, set by the caller.
    pub struct_size: usize,
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found no value.
    pub misses: u64,
    /// Values in the cache now, including inherited ones.
    pub size: u64,
    /// Bytes that the cache takes now: the memory of its entries, whether they fill it or not, and the table. This is
    /// what `max_bytes` bounds. A value that was replaced, removed or cleared counts until its last pin is released;
    /// inherited values do not count. Of a cache in Redis, its part in this process.
    pub bytes: u64,
    /// Values stored.
    pub stores: u64,
    /// Values refused because the subsystem is cut.
    pub refused_cut: u64,
    /// Values refused because φ is not positive.
    pub refused_phi: u64,
    /// Values refused because the memory limit was reached.
    pub refused_memory: u64,
    /// Values refused because caching of this kind was off, or the cache is read only.
    pub refused_disabled: u64,
    /// Values refused because the cache had reached its `max_bytes`.
    pub refused_capacity: u64,
    /// Values refused because, while they were computed, their key was removed, the cache was cleared, or their lease
    /// expired.
    pub refused_cleared: u64,
    /// Hits for which a caller waited while another computed the value.
    pub waits: u64,
    /// Computations that failed: the callback returned an error, an allocation failed, or the value was not a MICE
    /// record. Abandoned leases do not count.
    pub errors: u64,
    /// Nanoseconds that successful computations took, without the time that their threads waited for computations of
    /// others.
    pub compute_ns: u64,
    /// Nanoseconds saved: hits times the mean time of a computation.
    pub saved_ns: u64,
    /// Values refused because the server failed.
    pub refused_server: u64,
    /// Values at the server or on disk that were damaged, or belonged to another program or key. Each also counts as a
    /// miss.
    pub damaged: u64,
    /// Bytes of `bytes` that the entries in the cache take: keys, values, and the overhead of each.
    pub live_bytes: u64,
    /// Entries evicted, because the cache was full. A value that replaces another is not an eviction.
    pub evictions: u64,
    /// Bytes that the evicted entries took.
    pub evicted_bytes: u64,
    /// Nanoseconds that computing the evicted values again would take: the sum of their costs.
    pub evicted_ns: u64,
    /// Hits for which the value was computed again and compared, in verified mode. They also count as hits.
    pub verified: u64,
    /// Verified hits for which the values differed.
    pub differences: u64,
    /// Values refused because a file operation failed.
    pub refused_storage: u64,
}

/// The memory of this process. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_memory {
    /// `sizeof(phicache_memory)`, set by the caller.
    pub struct_size: usize,
    /// The resident size as a percentage of the limit.
    pub percent: f64,
    /// Bytes of physical memory that the process occupies, or the last figure that is known; at least `held`.
    pub resident: u64,
    /// Bytes that it may occupy: the physical memory, or the lowest limit of its control groups. 0 if neither was ever
    /// known.
    pub limit: u64,
    /// Bytes of the machine's physical memory; 0 if that was never known.
    pub physical: u64,
    /// Bytes in use by all caches of this process.
    pub held: u64,
    /// Bytes that caches may still take before the process reaches a hard limit (see "The library"); UINT64_MAX if
    /// it has no hard limit.
    pub room: u64,
    /// Which figures could be read by this call: a sum of `PHICACHE_KNOWN_…`. The others are the last good figures.
    pub known: u32,
    /// Zero.
    pub reserved: u32,
}

/// A limit on the memory of this process. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_memory_limit {
    /// `sizeof(phicache_memory_limit)`, set by the caller in the first item of a list.
    pub struct_size: usize,
    /// The limit in bytes; UINT64_MAX if it is unlimited.
    pub bytes: u64,
    /// The bytes that this limit counts now: the process's resident size, a group's usage (without inactive file pages
    /// if it exceeds half of the limit), the address space, or the data. The last good figure, if it could not be read.
    pub used: u64,
    /// The bytes that caches may still take until this limit stops them, by the maximum percentage or as a hard limit;
    /// UINT64_MAX if it never does.
    pub room: u64,
    /// 1 if it counts now: no other limit leaves less room. 0 for all others.
    pub counts: i32,
    /// Zero.
    pub reserved: u32,
    /// What limits the process, NUL-terminated: "physical memory", the file of a control group such as
    /// "/sys/fs/cgroup/job/memory.max" (its last 255 bytes), "RLIMIT_AS" or "RLIMIT_DATA".
    pub name: [c_char; 256],
}

/// Options of a new cache. A field that is zero has its default. An option that has no effect on a cache of this type,
/// such as `ttl_ms` on a dict cache, is an ERROR_INVALID_ARGUMENT; `phicache_mice_cache_new` takes all, because there
/// the configuration chooses where the values are. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_cache_options {
    /// `sizeof(phicache_cache_options)`, set by the caller.
    pub struct_size: usize,
    /// A name of 1 to 63 bytes, without control characters, which no other cache has; NULL for no name.
    pub name: *const c_char,
    /// The most bytes that the cache may use in this process, including overhead; 0 for no limit but that of memory.
    /// For disk caches: the most bytes that all files in the directory may take, at least 1 MiB. The directory keeps
    /// it; 0 is what it keeps, or 8 GiB. While a value replaces another, both count. `on_full` says what happens then.
    pub max_bytes: u64,
    /// For caches in Redis: milliseconds after which the server deletes a value, at most 10^14; 0 is never.
    pub ttl_ms: u64,
    /// Milliseconds that one process may take to compute a value before another computes it too, at most 10^14. For
    /// caches in Redis, 0 lets every process compute at once; a value that takes longer is returned and not stored, so
    /// give more than the longest computation takes; see "Redis cache". For disk caches, it is between hosts only, and
    /// 0 lets each host compute; see "Disk cache".
    pub lease_ms: u64,
    /// For caches in Redis: 1 makes a failing server an ERROR_REDIS; 0 makes it a miss.
    pub server_errors: i32,
    /// For caches in Redis: 1 stores values as they are, for other programs to read and write. 0 stores each with a
    /// checksum of key and value; a value without a valid checksum is a miss. See "Redis cache".
    pub no_checksum: i32,
    /// For caches in Redis: milliseconds that `clear`, `size`, `info` and `stats` may take to scan the keys at the
    /// server, at most 10^14; 0 is 30,000, and more than an hour is an hour. The operation that is running at that time
    /// still ends, at most one timeout later.
    pub scan_timeout_ms: u64,
    /// What the cache does when it is full, in this process: one of `PHICACHE_ON_FULL_…`.
    pub on_full: i32,
    /// Zero.
    pub reserved: i32,
    /// Verified mode: every n-th hit of `memoize`, of a memo, of a method or of `phicache_cache_begin` is computed
    /// again and compared with the value that the cache has. 1 verifies every hit; 0 verifies none, and costs nothing.
    /// See "Any cache".
    pub verify_every: u64,
    /// For verified mode: compares the values; NULL compares their bytes.
    pub same: phicache_same_fn,
    /// For verified mode: is told of each difference; NULL only counts them.
    pub difference: phicache_difference_fn,
    /// Passed to `same` and `difference`.
    pub verify_context: *mut c_void,
    /// Frees `verify_context`; NULL frees nothing. Called once: after the cache is destroyed, or when these options are
    /// not used, because `verify_every` is 0, another argument of the call is invalid, or a shared cache exists
    /// already. (A struct with an invalid size or invalid unknown fields is not read: then it is not called.)
    pub verify_drop: phicache_drop,
    /// For disk caches: the most bytes that the cache may use in this process for copies of values; 0 is 64 MiB. The
    /// index of the files is not included.
    pub near_bytes: u64,
    /// For disk caches: milliseconds after which a lookup that finds nothing looks for values that other processes have
    /// stored, at most 10^14; 0 is 1,000. `UINT64_MAX` looks at each such lookup.
    pub refresh_ms: u64,
    /// For disk caches: 1 never writes anything; a store is REFUSED_DISABLED.
    pub read_only: i32,
    /// For disk caches: 1 has each value on the storage device before a store returns, so that it survives a power cut.
    /// See also `phicache_disk_sync`.
    pub sync: i32,
    /// For disk caches: 1 trusts all members of the directory's group. 0 refuses a directory into which anybody else
    /// may write, and reads only files of this user.
    pub trust_group: i32,
    /// For disk caches: 1 makes a failed file operation an ERROR_STORAGE; 0 makes it a miss, or a REFUSED_STORAGE.
    pub storage_errors: i32,
}

/// The state of a disk cache, as this process sees it. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_disk_health {
    /// `sizeof(phicache_disk_health)`, set by the caller.
    pub struct_size: usize,
    /// File operations that failed.
    pub failures: u64,
    /// Records and files that were damaged, of another program, or removed by another process. Each is a miss.
    pub damaged: u64,
    /// The number of segments, the files that hold the values.
    pub segments: u64,
    /// The bytes of memory that the index of the files takes.
    pub index_bytes: u64,
    /// The message of the last file operation that failed, NUL-terminated; empty if nothing has failed. Unlike
    /// `phicache_last_error` it is that of all threads, and also of operations that were a miss or a refusal.
    pub last_failure: [c_char; 512],
}

/// What has become of the values of a saved cache that were loaded. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_load_counts {
    /// `sizeof(phicache_load_counts)`, set by the caller.
    pub struct_size: usize,
    /// Values that the cache has stored.
    pub loaded: u64,
    /// Values of keys that had one in the cache already, which stays.
    pub kept: u64,
    /// Values that the cache has refused, as a store would be; the statistics of the cache say why.
    pub refused: u64,
    /// Values that were damaged, or belonged to another key, and damage to the file's own list of its values.
    pub damaged: u64,
}

/// The values of one identity and role in the directory of disk caches. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_disk_item {
    /// `sizeof(phicache_disk_item)`, set by the caller in the first item of a list.
    pub struct_size: usize,
    /// The identity.
    pub fingerprint: phicache_fingerprint,
    /// The role, NUL-terminated: "values" for caches of `phicache_disk_cache_new`; cut if it is longer.
    pub role: [c_char; 256],
    /// The number of segments, the files that hold the values.
    pub segments: u64,
    /// The number of segments to which a living process appends.
    pub writers: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The number of records with a value. A key that was stored several times counts several times.
    pub records: u64,
    /// The number of files that are damaged or of another program; if all was read, also that of records and values.
    pub damaged: u64,
    /// The context, NUL-terminated, if the values are those of `phicache_disk_cache_new`: its beginning, with
    /// bytes escaped (`\x01`) if it is binary. Empty for other identities.
    pub context: [c_char; 256],
}

/// The health of a Redis server, as seen by all caches that have the same connection settings. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_redis_health {
    /// `sizeof(phicache_redis_health)`, set by the caller.
    pub struct_size: usize,
    /// Operations that failed: no connection, no reply in time, a broken connection, an invalid reply; and values that
    /// were not fetched because they are longer than 64 KiB and `max_bytes`.
    pub failures: u64,
    /// Operations that the server refused, for example because its memory is full; `last_error` says what to do.
    pub refusals: u64,
    /// Operations that were skipped because the server had just failed.
    pub skipped: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Connections that replaced a broken one.
    pub reconnects: u64,
    /// Milliseconds from now during which operations are skipped; 0 if the server works.
    pub skipping_ms: u64,
    /// The message of the last operation that failed or was refused, NUL-terminated; empty if all succeeded. Unlike
    /// `phicache_last_error` it is that of all threads, and also of operations that were a miss or a refusal.
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
    /// The φ of the mechanism over the purview; not NaN.
    pub phi: f64,
    /// Data of the caller, in a format of its own. From a cache, it is 16-byte aligned.
    pub payload: phicache_bytes,
}

/// An entry of a cache, without its value. Grows at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_entry {
    /// `sizeof(phicache_entry)`, set by the caller.
    pub struct_size: usize,
    /// The key; valid as long as the value that comes with the entry is pinned.
    pub key: phicache_bytes,
    /// Bytes that the entry takes: the key, the value, and overhead.
    pub bytes: u64,
    /// Nanoseconds that the computation of the value took; 0 if that is not known.
    pub cost_ns: u64,
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

/// A reader of one cache by one thread: a struct of the caller's, filled by `phicache_reader_init`. Do not copy it.
#[repr(C)]
pub struct phicache_reader {
    /// The library's own.
    pub reserved: [u64; 8],
}

/// Identifies a network or a subsystem: a BLAKE3-256 hash. One of zeros, which was never made, is refused.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct phicache_fingerprint {
    /// The bytes.
    pub bytes: [u8; 32],
}

/// Settings that caches share.
pub struct phicache_config;
/// A list of arguments, from which a key is made.
pub struct phicache_key;
/// A cache of any type. Owns nothing: a view of a `phicache_…_cache`.
pub struct phicache_cache;
/// PyPhi's `DictCache`: values by keys, both bytes.
pub struct phicache_dict_cache;
/// PyPhi's `RedisCache`: values by keys, both bytes, at a server that processes share.
pub struct phicache_redis_cache;
/// Values by keys, both bytes, in files that processes share and that outlive them.
pub struct phicache_disk_cache;
/// PyPhi's `PurviewCache`: lists of purviews of a network.
pub struct phicache_purview_cache;
/// PyPhi's `MICECache`: the MICE of a subsystem.
pub struct phicache_mice_cache;
/// PyPhi's `cache` decorator: a function with its cache.
pub struct phicache_memo;
/// PyPhi's `method` decorator: a function that uses its object's cache.
pub struct phicache_method;
/// A candidate system: nodes of a network in a state, cut or uncut.
pub struct phicache_subsystem;
/// The right and the duty to compute a missing value without a callback.
pub struct phicache_lease;
/// A walk through the entries of a cache.
pub struct phicache_walk;
/// Where a compute callback writes its value. Valid while the callback runs.
pub struct phicache_result;

/// Computes the value of `key`, and writes it into `result` with `phicache_result_reserve`. If the last reservation
/// failed, the caller gets its status, whatever the callback returns.
///
/// `user_data` was given with the function, `call_data` with the call. Return 0 for success. Any other code means that
/// nothing is cached; the caller gets the code unchanged. The callback runs on the caller's thread, and no lock is held
/// while it runs. It may call the library, also for other keys of the same cache. It must return: an exception that
/// leaves it, or the end of its thread (`pthread_exit`, `pthread_cancel`), ends the process with a line that names the
/// function; leaving it by longjmp is undefined. `result` is not valid after the callback has returned.
pub type phicache_compute = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        call_data: *mut c_void,
        key: phicache_bytes,
        result: *mut phicache_result,
    ) -> i32,
>;

/// Tells whether two values of a key count as equal, for verified mode: 0 is a difference, any other number is not. So
/// it is the reverse of `memcmp`.
///
/// For values that may differ in their last bits, such as sums of floating-point numbers in another order. `kept` is
/// the value that the cache has, `computed` the one that was computed again. All are valid during the call. As a
/// compute callback, it runs on the caller's thread, no lock is held, it may call the library, and it must return.
pub type phicache_same_fn = Option<
    unsafe extern "C-unwind" fn(
        context: *mut c_void,
        key: phicache_bytes,
        kept: phicache_bytes,
        computed: phicache_bytes,
    ) -> i32,
>;

/// Is told that two values of a key differ, in verified mode, before `computed` replaces `kept`. Otherwise as
/// `phicache_same_fn`.
pub type phicache_difference_fn = Option<
    unsafe extern "C-unwind" fn(
        context: *mut c_void,
        key: phicache_bytes,
        kept: phicache_bytes,
        computed: phicache_bytes,
    ),
>;

/// Frees a `user_data`. The library calls it exactly once: after the last call of the function has ended, or when the
/// function could not be registered.
pub type phicache_drop = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;

/// Sees one entry of a cache. Return 0 to continue the walk; any other code ends it.
///
/// `entry` and `value` are valid until the callback returns; then the library releases the value. To keep a value
/// longer, copy `*value` and set it to zero: the copy has the pin, and has to be released. The callback runs on the
/// caller's thread, with no lock held and no read section open. It may call the library, also to change, clear or free
/// the same cache. It must return, as a `phicache_compute` must.
pub type phicache_visit = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        entry: *const phicache_entry,
        value: *mut phicache_value,
    ) -> i32,
>;
