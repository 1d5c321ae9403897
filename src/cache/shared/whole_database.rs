//! PyPhi's mode, in which a cache owns the whole database: keys are stored verbatim, without seals and leases, and the
//! server counts the lookups of all its clients.

use super::backing::LookupCounts;
use super::scope::Scope;
use crate::redis::{Answer, Deadline, Server};

/// Every key of the database.
pub struct WholeDatabase;

impl Scope for WholeDatabase {
    fn clear(&self, server: &Server, _deadline: Deadline) -> Answer<()> {
        server.flush_database()?;
        server.reset_statistics()
    }

    fn size(&self, server: &Server, _deadline: Deadline) -> Answer<u64> {
        server.database_size()
    }

    fn scan(&self, server: &Server, deadline: Deadline, each: &mut dyn FnMut(&[&[u8]]) -> Answer<()>) -> Answer<()> {
        server.scan_prefix(b"", deadline, each)
    }

    fn lookups(&self, server: &Server) -> Answer<Option<LookupCounts>> {
        let counted = server.statistics()?;
        Ok(Some(LookupCounts { hits: counted.hits, misses: counted.misses }))
    }
}
