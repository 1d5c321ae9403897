//! A function with its cache (PyPhi's `cache` decorator), and a method that uses its object's cache (PyPhi's `method`).
//!
//! Neither knows the function itself: the caller hands over what computes, at each call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Asked, Cache, DictCache, InTheAir, Info, Options, Origin, Refusal, Value};
use crate::config::{Config, check_maximum};
use crate::error::{Error, Result, try_owned};
use crate::key::KeyBuilder;
use crate::store::Draft;
use crate::store::lock::Mutex;

/// The prefixes that memos have taken on one cache.
#[derive(Default)]
pub struct Prefixes(Mutex<Vec<Option<String>>>);

/// A prefix on a cache that belongs to one memo as long as this lives.
pub struct Claim {
    cache: Cache,
    prefix: Option<String>,
}

impl Claim {
    fn new(cache: Cache, prefix: Option<String>) -> Result<Self> {
        let mut taken = cache.prefixes().0.lock();
        if taken.contains(&prefix) {
            let name = prefix.map_or("no prefix".into(), |prefix| format!("prefix \"{prefix}\""));
            return Err(Error::invalid(format!(
                "another memo on this cache has {name}; two would read each other's values"
            )));
        }
        taken.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Option<String>>()))?;
        taken.push(prefix.as_deref().map(try_owned).transpose()?);
        drop(taken);
        Ok(Claim { cache, prefix })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut taken = self.cache.prefixes().0.lock();
        if let Some(place) = taken.iter().position(|prefix| *prefix == self.prefix) {
            taken.swap_remove(place);
        }
    }
}

/// A function with its cache.
pub struct Memo {
    claim: Claim,
    /// The cache is this memo's own, so its keys need no prefix.
    private: bool,
    typed: bool,
    maximum: f64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Memo {
    /// A memo on `cache`, or on one of its own. It stores up to `maximum` per cent of memory; none is what `config` says.
    pub fn new(
        config: Arc<Config>,
        maximum: Option<f64>,
        typed: bool,
        cache: Option<Cache>,
        prefix: Option<String>,
    ) -> Result<Self> {
        let maximum = maximum.map(check_maximum).transpose()?;
        let private = cache.is_none();
        let cache = match cache {
            Some(cache) => cache,
            None => {
                // A memo's maximum takes the place of the configuration's.
                let config = match maximum {
                    Some(maximum) => Arc::new(config.with_maximum_memory(maximum)?),
                    None => config,
                };
                Cache::Dict(DictCache::dict(config, Options::default())?)
            }
        };
        Ok(Memo {
            claim: Claim::new(cache, prefix)?,
            private,
            typed,
            maximum: maximum.unwrap_or(crate::store::gauge::UNLIMITED),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    /// Looks the arguments up; counts a hit or a miss. What is to be computed is computed by [`Memo::compute`].
    pub fn ask(&self, args: &mut KeyBuilder) -> Result<Asked> {
        let key = match self.private {
            true => args.key(self.typed)?,
            false => args.key_with_prefix(self.typed, self.claim.prefix.as_deref())?,
        };
        let asked = self.claim.cache.ask(key)?;
        let counter = if matches!(asked, Asked::Found(_)) { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
        Ok(asked)
    }

    /// Computes what [`Memo::ask`] did not find.
    #[inline(always)]
    pub fn compute(&self, flight: InTheAir, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        flight.compute(self.maximum, compute)
    }

    /// The memo's own hits and misses, and its cache's size.
    pub fn info(&self) -> Result<Info> {
        let size = self.claim.cache.size()?;
        Ok(Info { hits: self.hits.load(Relaxed), misses: self.misses.load(Relaxed), size })
    }

    /// Clears the cache, and the memo's own counts.
    pub fn clear(&self) -> Result<()> {
        self.claim.cache.clear()?;
        self.hits.store(0, Relaxed);
        self.misses.store(0, Relaxed);
        Ok(())
    }
}

/// What binds a method's values to its name, in the cache of whatever object it is called on.
pub struct Method {
    /// Stands in front of the arguments.
    pub prefix: Option<String>,
    /// Whether it goes straight through while repertoire caching is off.
    pub repertoire: bool,
}

/// The answer to a caller of a method.
pub enum AskedMethod {
    /// What the object's cache says.
    Asked(Asked),
    /// Repertoires are not cached: the caller computes the value of this key for itself.
    Straight(Vec<u8>),
}

impl Method {
    /// Looks the arguments up in the object's `cache`.
    pub fn ask(&self, cache: &Cache, args: &mut KeyBuilder) -> Result<AskedMethod> {
        let key = args.key_with_prefix(false, self.prefix.as_deref())?;
        if !self.repertoire || cache.config().repertoires() {
            return cache.ask(key).map(AskedMethod::Asked);
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
        copy.extend_from_slice(key);
        Ok(AskedMethod::Straight(copy))
    }
}

impl AskedMethod {
    /// The value, computed if it has to be.
    #[inline(always)]
    pub fn or_compute(self, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self {
            AskedMethod::Asked(asked) => asked.or_compute(compute),
            AskedMethod::Straight(key) => {
                let mut draft = Draft::new(&key, None);
                compute(&mut draft)?;
                let entry = draft.finish()?.into_pinned();
                Ok(Value { entry, origin: Origin::NotStored(Some(Refusal::Disabled)) })
            }
        }
    }
}
