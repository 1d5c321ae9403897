//! The part of a database that belongs to one cache, for operations on all of its values.

use super::backing::LookupCounts;
use crate::redis::{Answer, Deadline, Server};

/// All values of a cache at a server.
pub trait Scope: Send + Sync {
    /// Removes everything.
    fn clear(&self, server: &Server, deadline: Deadline) -> Answer<()>;

    /// The number of values.
    fn size(&self, server: &Server, deadline: Deadline) -> Answer<u64>;

    /// Calls `each` with the names of all values, in batches. A name may occur twice.
    fn scan(&self, server: &Server, deadline: Deadline, each: &mut dyn FnMut(&[&[u8]]) -> Answer<()>) -> Answer<()>;

    /// The lookups that the server has counted, if they are those of this cache.
    fn lookups(&self, server: &Server) -> Answer<Option<LookupCounts>>;
}

/// The keys with two prefixes: a part of a namespace.
pub struct Namespace {
    /// The prefix of all leases. They are removed first, so that values that are being computed under one are not
    /// stored.
    pub leases: Vec<u8>,
    /// The prefix of all values.
    pub values: Vec<u8>,
}

impl Scope for Namespace {
    fn clear(&self, server: &Server, deadline: Deadline) -> Answer<()> {
        server.remove_prefix(&self.leases, deadline)?;
        server.remove_prefix(&self.values, deadline)?;
        Ok(())
    }

    fn size(&self, server: &Server, deadline: Deadline) -> Answer<u64> {
        server.count_prefix(&self.values, deadline)
    }

    fn scan(&self, server: &Server, deadline: Deadline, each: &mut dyn FnMut(&[&[u8]]) -> Answer<()>) -> Answer<()> {
        server.scan_prefix(&self.values, deadline, each)
    }

    fn lookups(&self, _server: &Server) -> Answer<Option<LookupCounts>> {
        Ok(None)
    }
}
