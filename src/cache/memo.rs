//! A function with its cache (PyPhi's `cache` decorator), and a method that uses its object's cache (PyPhi's `method`).
//!
//! Neither knows the function itself: the caller hands over what computes, at each call.

use std::sync::Arc;

use super::counters::{Counters, Event};
use super::{Cache, DictCache, Info, Lookup, Options, Origin, Pending, Refusal, Value};
use crate::config::{Config, check_maximum};
use crate::epoch::{Participant, guard, without_fork};
use crate::error::{Error, Result, try_owned};
use crate::key::KeyBuilder;
use crate::sync::Mutex;
use crate::table::Draft;

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
        without_fork(|| {
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
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        without_fork(|| {
            let mut taken = self.cache.prefixes().0.lock();
            if let Some(place) = taken.iter().position(|prefix| *prefix == self.prefix) {
                taken.swap_remove(place);
            }
        })
    }
}

/// A function with its cache.
pub struct Memo {
    claim: Claim,
    /// What its keys begin with; nothing where the cache is this memo's own, and its keys need no prefix.
    head: Option<Vec<u8>>,
    typed: bool,
    maximum: f64,
    counters: Counters,
}

/// The key of a prefix without any arguments, with which all its keys begin.
fn head(typed: bool, prefix: Option<&str>) -> Result<Vec<u8>> {
    let mut builder = KeyBuilder::new();
    copy(builder.key_with_prefix(typed, prefix)?)
}

fn copy(key: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
    copy.extend_from_slice(key);
    Ok(copy)
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
        let head = match &cache {
            Some(_) => Some(head(typed, prefix.as_deref())?),
            None => None,
        };
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
            head,
            typed,
            maximum: maximum.unwrap_or(crate::memory::limit::UNLIMITED),
            counters: guard::read(|section| Counters::new(section.record())),
        })
    }

    /// As [`Memo::ask`], in the usual case: the arguments have no names, and their value is there. None in any other; then
    /// nothing has been counted.
    #[inline(always)]
    pub fn try_fast_hit(&self, args: &mut KeyBuilder) -> Option<Value> {
        let counted = self.counters.alone(Participant::of_this_thread()?)?;
        let key = match &self.head {
            None => args.try_fast_key(self.typed)?,
            Some(head) => args.try_fast_key_behind(self.typed, head)?,
        };
        let value = self.claim.cache.try_fast_hit(key)?;
        counted.add_alone(Event::Hit);
        Some(value)
    }

    /// Looks the arguments up; counts a hit or a miss. What is to be computed is computed by [`Memo::compute`].
    pub fn get_or_reserve(&self, args: &mut KeyBuilder) -> Result<Lookup> {
        let key = match self.head {
            None => args.key(self.typed)?,
            Some(_) => args.key_with_prefix(self.typed, self.claim.prefix.as_deref())?,
        };
        let asked = self.claim.cache.get_or_reserve(key)?;
        self.counters.count(if matches!(asked, Lookup::Found(_)) { Event::Hit } else { Event::Miss });
        Ok(asked)
    }

    /// What per cent of the memory may be in use for values to be stored, beside what the cache's configuration says.
    pub fn maximum(&self) -> f64 {
        self.maximum
    }

    /// Computes what [`Memo::ask`] did not find.
    #[inline(always)]
    pub fn compute(&self, flight: Pending, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        flight.compute(self.maximum, compute)
    }

    /// The memo's own hits and misses, and its cache's size.
    pub fn info(&self) -> Result<Info> {
        self.claim.cache.size().map(|size| self.counters.info(size))
    }

    /// Clears the cache, and the memo's own counts.
    pub fn clear(&self) -> Result<()> {
        self.claim.cache.clear()?;
        self.counters.reset();
        Ok(())
    }
}

/// What binds a method's values to its name, in the cache of whatever object it is called on.
pub struct Method {
    /// Stands in front of the arguments.
    prefix: Option<String>,
    /// What its keys begin with.
    head: Vec<u8>,
    /// Whether it goes straight through while repertoire caching is off.
    repertoire: bool,
}

/// The answer to a caller of a method.
pub enum MethodLookup {
    /// What the object's cache says.
    Cached(Lookup),
    /// Repertoires are not cached: the caller computes the value of this key for itself.
    Uncached(Vec<u8>),
}

impl Method {
    /// A method whose values stand behind `prefix`; `repertoire` says whether it goes straight through while repertoire
    /// caching is off.
    pub fn new(prefix: Option<String>, repertoire: bool) -> Result<Self> {
        Ok(Method { head: head(false, prefix.as_deref())?, prefix, repertoire })
    }

    /// As [`Method::ask`], in the usual case: the arguments have no names, and their value is there. None in any other;
    /// then nothing has been counted.
    #[inline(always)]
    pub fn try_fast_hit(&self, cache: &Cache, args: &mut KeyBuilder) -> Option<Value> {
        if self.repertoire && !cache.config().repertoires() {
            return None;
        }
        cache.try_fast_hit(args.try_fast_key_behind(false, &self.head)?)
    }

    /// Looks the arguments up in the object's `cache`.
    pub fn get_or_reserve(&self, cache: &Cache, args: &mut KeyBuilder) -> Result<MethodLookup> {
        let key = args.key_with_prefix(false, self.prefix.as_deref())?;
        if !self.repertoire || cache.config().repertoires() {
            return cache.get_or_reserve(key).map(MethodLookup::Cached);
        }
        copy(key).map(MethodLookup::Uncached)
    }
}

/// The value of a method that goes straight through.
pub fn not_stored(draft: Draft) -> Result<Value> {
    let entry = draft.finish()?.into_pinned();
    Ok(Value { entry, origin: Origin::NotStored(Some(Refusal::Disabled)) })
}

impl MethodLookup {
    /// The value, computed if it has to be.
    #[inline(always)]
    pub fn or_compute(self, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self {
            MethodLookup::Cached(asked) => asked.or_compute(compute),
            MethodLookup::Uncached(key) => {
                let mut draft = Draft::new(&key, None);
                compute(&mut draft)?;
                not_stored(draft)
            }
        }
    }
}
