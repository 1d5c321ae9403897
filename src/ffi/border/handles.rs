//! The library type behind each handle type.

use std::sync::Arc;

use crate::cache::registry::Name;
use crate::cache::{Cache, Holder, Lease, Memo, Method, Walk};
use crate::config::Config;
use crate::error::Result;
use crate::ffi::border::function::Bound;
use crate::ffi::border::handle::{get, get_mut, handle, try_fast_get, try_fast_get_mut};
use crate::ffi::border::types::*;
use crate::iit::Subsystem;
use crate::key::KeyBuilder;
use crate::sync::{TryArc, try_box};

pub(in crate::ffi) struct ConfigHandle(pub(in crate::ffi) Arc<Config>);
handle!(ConfigHandle, "phicache_config", b"phi-conf");

/// A configuration; NULL is the process default.
pub(in crate::ffi) fn config(config: *const phicache_config) -> Result<Arc<Config>> {
    if config.is_null() {
        return Config::process();
    }
    get::<ConfigHandle, _>(config, "config").map(|config| config.0.clone())
}

pub(in crate::ffi) struct KeyHandle(pub(in crate::ffi) KeyBuilder);
handle!(KeyHandle, "phicache_key", b"phi-keyb");

/// A builder of keys, which one thread uses at a time.
pub(in crate::ffi) fn key_builder<'k>(key: *mut phicache_key, name: &'static str) -> Result<&'k mut KeyBuilder> {
    get_mut::<KeyHandle, _>(key, name).map(|handle| &mut handle.0)
}

#[inline(always)]
pub(in crate::ffi) fn try_fast_key_builder<'k>(key: *mut phicache_key) -> Option<&'k mut KeyBuilder> {
    Some(&mut try_fast_get_mut::<KeyHandle, _>(key)?.0)
}

/// A cache of any type.
pub(in crate::ffi) struct CacheHandle {
    pub(in crate::ffi) cache: Cache,
    /// Few caches have any; together they take one word of the handle.
    _shares: Option<Box<Shares>>,
}
handle!(CacheHandle, "cache", b"phi-cach");

impl CacheHandle {
    pub(in crate::ffi) fn new(cache: Cache, name: Option<&str>, holder: Option<Holder>) -> Result<Self> {
        let name = name.map(|name| Name::register(name, &cache)).transpose()?;
        let has_shares = name.is_some() || holder.is_some();
        let shares = has_shares.then(|| try_box(Shares { _name: name, _holder: holder })).transpose()?;
        Ok(CacheHandle { cache, _shares: shares })
    }
}

struct Shares {
    /// A share in the cache's name.
    _name: Option<Name>,
    /// A share in a cache that others hold too.
    _holder: Option<Holder>,
}

/// A memo. The share lets a call outlive its handle, which the callback may free.
pub(in crate::ffi) struct MemoHandle(pub(in crate::ffi) TryArc<Bound<Memo>>);
handle!(MemoHandle, "phicache_memo", b"phi-memo");

pub(in crate::ffi) fn memo<'m>(memo: *mut phicache_memo) -> Result<&'m TryArc<Bound<Memo>>> {
    get::<MemoHandle, _>(memo, "memo").map(|handle| &handle.0)
}

#[inline(always)]
pub(in crate::ffi) fn try_fast_memo<'m>(memo: *mut phicache_memo) -> Option<&'m Memo> {
    try_fast_get::<MemoHandle, _>(memo).map(|handle| &handle.0.what)
}

/// A method, shared as a memo is.
pub(in crate::ffi) struct MethodHandle(pub(in crate::ffi) TryArc<Bound<Method>>);
handle!(MethodHandle, "phicache_method", b"phi-meth");

pub(in crate::ffi) fn method<'m>(method: *mut phicache_method) -> Result<&'m TryArc<Bound<Method>>> {
    get::<MethodHandle, _>(method, "method").map(|handle| &handle.0)
}

#[inline(always)]
pub(in crate::ffi) fn try_fast_method<'m>(method: *mut phicache_method) -> Option<&'m Method> {
    try_fast_get::<MethodHandle, _>(method).map(|handle| &handle.0.what)
}

pub(in crate::ffi) struct SubsystemHandle(pub(in crate::ffi) Subsystem);
handle!(SubsystemHandle, "phicache_subsystem", b"phi-subs");

pub(in crate::ffi) fn subsystem<'s>(subsystem: *mut phicache_subsystem) -> Result<&'s Subsystem> {
    get::<SubsystemHandle, _>(subsystem, "subsystem").map(|handle| &handle.0)
}

handle!(Lease, "phicache_lease", b"phi-leas");

/// A lease, which one thread uses at a time.
pub(in crate::ffi) fn lease<'l>(lease: *mut phicache_lease) -> Result<&'l mut Lease> {
    get_mut::<Lease, _>(lease, "lease")
}

handle!(Walk, "phicache_walk", b"phi-walk");

/// A walk, which one thread uses at a time.
pub(in crate::ffi) fn walk<'w>(walk: *mut phicache_walk) -> Result<&'w mut Walk> {
    get_mut::<Walk, _>(walk, "walk")
}

/// A memo that is called by the key of its arguments.
#[repr(transparent)]
pub(in crate::ffi) struct MemoByKey(phicache_memo);

impl MemoByKey {
    pub(in crate::ffi) fn of(memo: *mut phicache_memo) -> *mut Self {
        memo.cast()
    }

    /// The memo.
    pub(in crate::ffi) fn memo(by_key: *mut Self) -> *mut phicache_memo {
        by_key.cast()
    }
}

/// A method that is called by the key of its arguments.
#[repr(transparent)]
pub(in crate::ffi) struct MethodByKey(phicache_method);

impl MethodByKey {
    pub(in crate::ffi) fn of(method: *mut phicache_method) -> *mut Self {
        method.cast()
    }

    /// The method.
    pub(in crate::ffi) fn method(by_key: *mut Self) -> *mut phicache_method {
        by_key.cast()
    }
}
