//! The names of live caches: each belongs to one of them.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::error::{Error, Result};

/// A name longer than this does not fit where names are listed.
const NAME_MAX: usize = 63;

static NAMES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A name that is taken as long as this lives.
#[derive(Debug)]
pub struct Name(String);

impl Name {
    /// Takes a name.
    pub fn register(name: String) -> Result<Self> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(Error::invalid(format!("a cache name of {} bytes; expected 1 to {NAME_MAX}", name.len())));
        }
        match NAMES.lock().insert(name.clone()) {
            true => Ok(Name(name)),
            false => Err(Error::NameInUse(name.into())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        NAMES.lock().remove(&self.0);
    }
}
