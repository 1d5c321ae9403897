//! A function with its cache (PyPhi's `cache` decorator), and a method that uses its object's cache (PyPhi's `method`).
//!
//! Neither stores the function itself: each call passes a closure that computes.

use std::sync::Arc;

use super::any::Cache;
use super::counters::{Counters, Event, Info};
use super::dict::DictCache;
use super::memoize::{Lookup, Pending};
use super::options::Options;
use super::prefixes::Identity;
use super::value::{Origin, Refusal, Value};
use crate::config::{Config, check_maximum};
use crate::epoch;
use crate::error::{Error, Result};
use crate::key::{KeyBuilder, VERSION_TYPED, VERSION_UNTYPED};
use crate::memory::limit;
use crate::sync::TryArc;
use crate::table::Draft;

/// A function with its cache. The counters begin with what their maker writes, so they are first.
#[repr(C)]
pub struct Memo {
    counters: Counters,
    cache: Cache,
    prefix: Option<String>,
    /// It has its prefix on the cache for itself.
    _identity: Identity,
    /// The first bytes of all its keys; `None` if the cache is this memo's own, so that its keys need no prefix.
    head: Option<Vec<u8>>,
    typed: bool,
    maximum: f64,
}

/// The first bytes of all keys of a memo: the key of its prefix without arguments.
fn head(typed: bool, prefix: Option<&str>) -> Result<Vec<u8>> {
    let mut builder = KeyBuilder::new();
    copy(builder.key_with_prefix(typed, prefix)?)
}

/// What else the error of a method says: with a version alone, its objects would read each other's results.
const OBJECT: &str = ". The key of a method lacks the object: if objects with this cache have different results, \
                      take a memo of a function with the object as an argument";

/// Fails unless the prefix of a function says its version, if the values outlive the code that computed them.
fn check_version(cache: &Cache, prefix: Option<&str>, more: &str) -> Result<()> {
    let has_version = prefix.and_then(|prefix| prefix.rsplit_once('@')).is_some_and(|(_, version)| !version.is_empty());
    match cache {
        Cache::Disk(_) if !has_version => Err(Error::invalid(format!(
            "the prefix \"{}\" has no version; values on disk outlive the code that computed them: give the function a \
             prefix such as \"entropy@1\", and another version when its results change{more}",
            prefix.unwrap_or_default()
        ))),
        _ => Ok(()),
    }
}

/// The key of `args`, the encoded arguments, behind `head`: two pieces, of which the second may be empty. `None` if the
/// arguments are encoded in the other way.
#[inline(always)]
fn pieces<'k>(typed: bool, head: Option<&'k [u8]>, args: &'k [u8]) -> Option<[&'k [u8]; 2]> {
    let (version, rest) = args.split_first()?;
    let expected = if typed { VERSION_TYPED } else { VERSION_UNTYPED };
    (*version == expected).then_some(match head {
        None => [args, &[]],
        Some(head) => [head, rest],
    })
}

fn copy(key: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
    copy.extend_from_slice(key);
    Ok(copy)
}

impl Memo {
    /// A memo on `cache`, or on a cache of its own. It stores until `maximum` per cent of the memory are in use; `None`
    /// is the maximum of `config`.
    pub fn new(
        config: Arc<Config>,
        maximum: Option<f64>,
        typed: bool,
        cache: Option<Cache>,
        prefix: Option<String>,
    ) -> Result<Self> {
        let maximum = maximum.map(check_maximum).transpose()?;
        if let Some(cache) = &cache {
            check_version(cache, prefix.as_deref(), "")?;
            if maximum.is_some_and(|maximum| maximum != limit::UNLIMITED)
                && matches!(cache, Cache::Redis(_) | Cache::Disk(_))
            {
                return Err(Error::invalid(
                    "a maximum memory percentage has no effect on a memo with a cache in Redis or on disk, which has \
                     limits of its own; leave it as configured",
                ));
            }
        }
        if let (None, Some(prefix)) = (&cache, &prefix) {
            return Err(Error::invalid(format!(
                "the prefix \"{prefix}\" has no effect on a memo without a cache, which keeps its values in this \
                 process: give the cache too"
            )));
        }
        let head = match &cache {
            Some(_) => Some(head(typed, prefix.as_deref())?),
            None => None,
        };
        let cache = match cache {
            Some(cache) => cache,
            None => {
                // A memo's maximum replaces the configuration's.
                let config = match maximum {
                    Some(maximum) => Arc::new(config.with_maximum_memory(maximum)?),
                    None => config,
                };
                Cache::Dict(DictCache::dict(config, Options::default())?)
            }
        };
        let identity = TryArc::try_new(())?;
        cache.prefixes().take(prefix.as_deref(), &identity)?;
        Ok(Memo {
            counters: epoch::read(|guard| Counters::new(guard.participant())),
            cache,
            prefix,
            _identity: identity,
            head,
            typed,
            maximum: maximum.unwrap_or(limit::UNLIMITED),
        })
    }

    /// As [`Memo::get_or_reserve`], on the fast path: no argument has a name, and there is a value. In any other case
    /// `None`, and nothing is counted. The place for the value is asked for last.
    #[inline(always)]
    pub fn try_fast_hit(&self, args: &mut KeyBuilder, has_place: impl FnOnce() -> bool) -> Option<Value> {
        let key = match &self.head {
            None => args.try_fast_key(self.typed)?,
            Some(head) => args.try_fast_key_behind(self.typed, head)?,
        };
        self.try_fast_hit_by(key, has_place)
    }

    /// The same by the whole key, which consists of the [`pieces`](Memo::pieces).
    #[inline(always)]
    pub fn try_fast_hit_by(&self, key: &[u8], has_place: impl FnOnce() -> bool) -> Option<Value> {
        let counted = self.counters.alone(crate::epoch::current()?)?;
        let hit = self.cache.try_fast_hit(key, has_place).hit()?;
        counted.add_alone(Event::Hit);
        Some(hit)
    }

    /// The whole key of arguments that are encoded, in two pieces, of which the second may be empty. `None` if they are
    /// typed and the memo is not, or the other way round.
    #[inline(always)]
    pub fn pieces<'k>(&'k self, args: &'k [u8]) -> Option<[&'k [u8]; 2]> {
        pieces(self.typed, self.head.as_deref(), args)
    }

    /// Looks the arguments up; counts a hit or a miss. [`Memo::compute`] computes a missing value.
    pub fn get_or_reserve(&self, args: &mut KeyBuilder) -> Result<Lookup> {
        let key = match self.head {
            None => args.key(self.typed)?,
            Some(_) => args.key_with_prefix(self.typed, self.prefix.as_deref())?,
        };
        self.get_or_reserve_by(key)
    }

    /// The same by the whole key.
    pub fn get_or_reserve_by(&self, key: &[u8]) -> Result<Lookup> {
        let lookup = self.cache.get_or_reserve(key)?;
        self.counters.count(if lookup.is_hit() { Event::Hit } else { Event::Miss });
        Ok(lookup)
    }

    /// The percentage of memory in use above which the memo does not store; the configuration's maximum holds too.
    pub fn maximum(&self) -> f64 {
        self.maximum
    }

    /// Computes a value that [`Memo::get_or_reserve`] did not find.
    #[inline(always)]
    pub fn compute(&self, pending: Pending, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        pending.compute(self.maximum, compute)
    }

    /// The memo's own hits and misses, and the size of its cache.
    pub fn info(&self) -> Result<Info> {
        self.cache.size().map(|size| self.counters.info(size))
    }

    /// Clears the cache and the memo's own counters.
    pub fn clear(&self) -> Result<()> {
        self.cache.clear()?;
        self.counters.reset();
        Ok(())
    }
}

/// A method, whose values are in the cache of the object that it is called on, under its prefix.
pub struct Method {
    /// The first element of all its keys.
    prefix: Option<String>,
    /// The first bytes of all its keys.
    head: Vec<u8>,
    /// Whether it bypasses the cache while repertoire caching is disabled.
    repertoire: bool,
    /// It has its prefix for itself on each cache that it has stored in.
    identity: Identity,
}

/// The result of [`Method::get_or_reserve`].
pub enum MethodLookup {
    /// The result of the object's cache.
    Cached(Lookup),
    /// Repertoires are not cached: the caller computes the value of this key for itself.
    Uncached(Vec<u8>),
}

impl Method {
    /// A method whose keys begin with `prefix`; `repertoire` says whether it bypasses the cache while repertoire
    /// caching is disabled.
    pub fn new(prefix: Option<String>, repertoire: bool) -> Result<Self> {
        Ok(Method { head: head(false, prefix.as_deref())?, prefix, repertoire, identity: TryArc::try_new(())? })
    }

    /// As [`Method::get_or_reserve`], on the fast path: no argument has a name, and there is a value. In any other case
    /// `None`, and nothing is counted. The place for the value is asked for last.
    #[inline(always)]
    pub fn try_fast_hit(
        &self,
        cache: &Cache,
        args: &mut KeyBuilder,
        has_place: impl FnOnce() -> bool,
    ) -> Option<Value> {
        self.try_fast_hit_by(cache, args.try_fast_key_behind(false, &self.head)?, has_place)
    }

    /// The same by the whole key, which consists of the [`pieces`](Method::pieces).
    #[inline(always)]
    pub fn try_fast_hit_by(&self, cache: &Cache, key: &[u8], has_place: impl FnOnce() -> bool) -> Option<Value> {
        if self.repertoire && !cache.config().repertoires() {
            return None;
        }
        cache.try_fast_hit(key, has_place).hit()
    }

    /// The whole key of arguments that are encoded, in two pieces, of which the second may be empty. `None` if they are
    /// typed.
    #[inline(always)]
    pub fn pieces<'k>(&'k self, args: &'k [u8]) -> Option<[&'k [u8]; 2]> {
        pieces(false, Some(&self.head), args)
    }

    /// Looks the arguments up in the object's `cache`.
    pub fn get_or_reserve(&self, cache: &Cache, args: &mut KeyBuilder) -> Result<MethodLookup> {
        self.get_or_reserve_by(cache, args.key_with_prefix(false, self.prefix.as_deref())?)
    }

    /// The same by the whole key.
    pub fn get_or_reserve_by(&self, cache: &Cache, key: &[u8]) -> Result<MethodLookup> {
        check_version(cache, self.prefix.as_deref(), OBJECT)?;
        cache.prefixes().take(self.prefix.as_deref(), &self.identity)?;
        if !self.repertoire || cache.config().repertoires() {
            return cache.get_or_reserve(key).map(MethodLookup::Cached);
        }
        copy(key).map(MethodLookup::Uncached)
    }
}

/// The value of a method that bypasses the cache.
pub fn not_stored(draft: Draft) -> Result<Value> {
    let entry = draft.finish()?.into_pinned();
    Ok(Value { entry, origin: Origin::NotStored(Some(Refusal::Disabled)) })
}

impl MethodLookup {
    /// The value; `compute` computes a missing one.
    #[inline(always)]
    pub fn or_compute(self, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self {
            MethodLookup::Cached(lookup) => lookup.or_compute(compute),
            MethodLookup::Uncached(key) => {
                let mut draft = Draft::new(&key, None);
                compute(&mut draft)?;
                not_stored(draft)
            }
        }
    }
}
