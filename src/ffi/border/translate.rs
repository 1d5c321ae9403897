//! The library's results as C types: statuses, figures, records.

use std::ffi::c_char;
use std::ptr;

use crate::cache::{Cache, Info, Loaded, Origin, Refusal, Stats, Stored};
use crate::disk::{Report, Space, as_text};
use crate::ffi::border::types::*;
use crate::iit::Mice;
use crate::memory::limit::{Limit, Usage};
use crate::redis::Health;

/// The status of a refusal.
#[inline]
pub(in crate::ffi) fn refusal(reason: Refusal) -> phicache_status {
    match reason {
        Refusal::Cut => PHICACHE_REFUSED_CUT,
        Refusal::Phi => PHICACHE_REFUSED_PHI,
        Refusal::Memory => PHICACHE_REFUSED_MEMORY,
        Refusal::Disabled => PHICACHE_REFUSED_DISABLED,
        Refusal::Capacity => PHICACHE_REFUSED_CAPACITY,
        Refusal::Cleared => PHICACHE_REFUSED_CLEARED,
        Refusal::Server => PHICACHE_REFUSED_SERVER,
        Refusal::Storage => PHICACHE_REFUSED_STORAGE,
    }
}

/// The status of a store.
pub(in crate::ffi) fn stored(stored: Stored) -> phicache_status {
    stored.map_or_else(refusal, |()| PHICACHE_OK)
}

/// The status of a lookup that returns only whether the key was found.
pub(in crate::ffi) fn found(found: bool) -> phicache_status {
    if found { PHICACHE_OK } else { PHICACHE_MISS }
}

/// Where a value came from.
#[inline(always)]
pub(in crate::ffi) fn origin(origin: Origin) -> u32 {
    match origin {
        Origin::Hit => PHICACHE_ORIGIN_HIT,
        Origin::Computed => PHICACHE_ORIGIN_COMPUTED,
        Origin::Waited => PHICACHE_ORIGIN_WAITED,
        Origin::Parent => PHICACHE_ORIGIN_PARENT,
        Origin::NotStored(None) => PHICACHE_ORIGIN_NOT_STORED,
        Origin::NotStored(Some(reason)) => PHICACHE_ORIGIN_NOT_STORED + refusal(reason) as u32,
    }
}

/// Lends bytes to C.
#[inline(always)]
pub(in crate::ffi) fn lent(bytes: &[u8]) -> phicache_bytes {
    phicache_bytes { data: bytes.as_ptr(), len: bytes.len() }
}

impl From<Info> for phicache_info {
    fn from(info: Info) -> Self {
        phicache_info { hits: info.hits, misses: info.misses, size: info.size }
    }
}

impl From<Stats> for phicache_stats {
    fn from(stats: Stats) -> Self {
        let refused = |reason: Refusal| stats.refused[reason as usize];
        phicache_stats {
            struct_size: size_of::<Self>(),
            hits: stats.info.hits,
            misses: stats.info.misses,
            size: stats.info.size,
            bytes: stats.bytes,
            stores: stats.stores,
            refused_cut: refused(Refusal::Cut),
            refused_phi: refused(Refusal::Phi),
            refused_memory: refused(Refusal::Memory),
            refused_disabled: refused(Refusal::Disabled),
            refused_capacity: refused(Refusal::Capacity),
            refused_cleared: refused(Refusal::Cleared),
            waits: stats.waits,
            errors: stats.errors,
            compute_ns: stats.compute_ns,
            saved_ns: stats.saved_ns,
            refused_server: refused(Refusal::Server),
            damaged: stats.damaged,
            live_bytes: stats.live_bytes,
            evictions: stats.evictions,
            evicted_bytes: stats.evicted_bytes,
            evicted_ns: stats.evicted_ns,
            verified: stats.verified,
            differences: stats.differences,
            refused_storage: refused(Refusal::Storage),
        }
    }
}

impl From<&Space> for phicache_disk_health {
    fn from(space: &Space) -> Self {
        let health = space.health();
        phicache_disk_health {
            struct_size: size_of::<Self>(),
            failures: health.failures(),
            damaged: health.damaged(),
            segments: space.segments(),
            index_bytes: space.index_bytes(),
            last_failure: c_text(&health.last_failure()),
        }
    }
}

impl From<&Report> for phicache_disk_item {
    fn from(report: &Report) -> Self {
        phicache_disk_item {
            struct_size: size_of::<Self>(),
            fingerprint: phicache_fingerprint { bytes: report.fingerprint },
            role: c_text(&report.role),
            segments: report.segments,
            writers: report.writers,
            bytes: report.bytes,
            records: report.records,
            damaged: report.damaged,
            context: c_text(&as_text(report.context.as_deref().unwrap_or_default())),
        }
    }
}

impl From<Loaded> for phicache_load_counts {
    fn from(counts: Loaded) -> Self {
        let Loaded { loaded, kept, refused, damaged } = counts;
        phicache_load_counts { struct_size: size_of::<Self>(), loaded, kept, refused, damaged }
    }
}

impl From<Health> for phicache_redis_health {
    fn from(health: Health) -> Self {
        phicache_redis_health {
            struct_size: size_of::<Self>(),
            failures: health.failures,
            refusals: health.refusals,
            skipped: health.skipped,
            connections: health.connections,
            reconnects: health.reconnects,
            skipping_ms: health.skipping.map_or(0, |time| time.as_millis().max(1) as u64),
            last_error: c_text(health.last_error.as_deref().unwrap_or_default()),
        }
    }
}

impl phicache_mice {
    /// No MICE, in a struct of this version.
    pub(in crate::ffi) const ZERO: Self = phicache_mice {
        struct_size: size_of::<Self>(),
        direction: 0,
        reserved: 0,
        mechanism: 0,
        purview: 0,
        phi: 0.0,
        payload: phicache_bytes { data: ptr::null(), len: 0 },
    };
}

impl From<Mice<'_>> for phicache_mice {
    #[inline(always)]
    fn from(mice: Mice<'_>) -> Self {
        phicache_mice {
            struct_size: size_of::<Self>(),
            direction: mice.direction as i32,
            reserved: 0,
            mechanism: mice.mechanism.0,
            purview: mice.purview.0,
            phi: mice.phi,
            payload: lent(mice.payload),
        }
    }
}

impl From<Usage> for phicache_memory {
    fn from(usage: Usage) -> Self {
        phicache_memory {
            struct_size: size_of::<Self>(),
            percent: usage.percent(),
            resident: usage.resident,
            limit: usage.limit,
            physical: usage.physical,
            held: usage.held,
            room: usage.room,
            known: usage.known.0,
            reserved: 0,
        }
    }
}

/// A named cache and its figures.
pub(in crate::ffi) fn registry_item(name: &str, cache: &Cache, info: Info) -> phicache_registry_item {
    let kind = match cache {
        Cache::Dict(_) => PHICACHE_KIND_DICT,
        Cache::Purview(_) => PHICACHE_KIND_PURVIEW,
        Cache::Mice(_) => PHICACHE_KIND_MICE,
        Cache::Redis(cache) if cache.is_mice() => PHICACHE_KIND_REDIS_MICE,
        Cache::Redis(_) => PHICACHE_KIND_REDIS,
        Cache::Disk(cache) if cache.is_mice() => PHICACHE_KIND_DISK_MICE,
        Cache::Disk(_) => PHICACHE_KIND_DISK,
    };
    phicache_registry_item {
        struct_size: size_of::<phicache_registry_item>(),
        name: c_text(name),
        kind,
        reserved: 0,
        info: info.into(),
    }
}

/// A limit, which `counts` now or not.
pub(in crate::ffi) fn memory_limit(limit: &Limit, counts: bool) -> phicache_memory_limit {
    const ROOM: usize = 256;
    let cut = limit.name.ceil_char_boundary(limit.name.len().saturating_sub(ROOM - 1));
    phicache_memory_limit {
        struct_size: size_of::<phicache_memory_limit>(),
        bytes: limit.bytes,
        used: limit.used,
        room: limit.room,
        counts: counts.into(),
        reserved: 0,
        name: c_text::<ROOM>(&limit.name[cut..]),
    }
}

/// Text with its NUL, cut between characters if it is too long.
fn c_text<const N: usize>(text: &str) -> [c_char; N] {
    let mut chars = [0; N];
    let whole = text.floor_char_boundary(N - 1);
    chars.iter_mut().zip(text[..whole].bytes()).for_each(|(to, byte)| *to = byte as c_char);
    chars
}
