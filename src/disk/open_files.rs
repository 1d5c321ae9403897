//! The number of descriptors that segments keep open. The oldest is closed when there are too many: a host program may
//! have a low limit, and needs descriptors of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::segment::Segment;
use crate::sync::Mutex;

/// The most segments that this process keeps open.
const MOST: usize = 128;

static OPEN: Mutex<VecDeque<Weak<Segment>>> = Mutex::new(VecDeque::new());

/// Notes that a segment was opened, and closes the one that was opened first if there are too many.
pub fn opened(segment: &Arc<Segment>) {
    let oldest = {
        let mut open = OPEN.lock();
        open.push_back(Arc::downgrade(segment));
        if open.len() > MOST { open.pop_front() } else { None }
    };
    if let Some(oldest) = oldest.and_then(|oldest| oldest.upgrade())
        && !Arc::ptr_eq(&oldest, segment)
    {
        oldest.close();
    }
}

/// Closes all segments, because the process has no descriptor left.
pub fn close_all() {
    let open = std::mem::take(&mut *OPEN.lock());
    open.into_iter().filter_map(|segment| segment.upgrade()).for_each(|segment| segment.close());
}
