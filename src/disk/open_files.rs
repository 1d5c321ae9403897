//! The number of descriptors that segments keep open. The oldest is closed when there are too many: a host program may
//! have a low limit, and needs descriptors of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};

use super::failure::lacks_descriptors;
use crate::sync::Mutex;

/// The most files that this process keeps open.
const MOST: usize = 128;

/// What keeps a file open, and opens it again when it is needed.
pub trait Closes: Send + Sync {
    /// Closes the file.
    fn close(&self);
}

static OPEN: Mutex<VecDeque<Weak<dyn Closes>>> = Mutex::new(VecDeque::new());

/// Notes that a file was opened, and closes the one that was opened first if there are too many.
pub fn opened(opener: Weak<dyn Closes>) {
    let oldest = {
        let mut open = OPEN.lock();
        open.push_back(opener);
        if open.len() > MOST { open.pop_front() } else { None }
    };
    close(oldest);
}

/// Performs an operation that needs a descriptor. If the process has none left, all files are closed, and the operation
/// is tried again.
pub(super) fn with_descriptor<R>(operation: impl Fn() -> io::Result<R>) -> io::Result<R> {
    match operation() {
        Err(error) if lacks_descriptors(&error) => {
            let open = std::mem::take(&mut *OPEN.lock());
            close(open);
            operation()
        }
        result => result,
    }
}

fn close(openers: impl IntoIterator<Item = Weak<dyn Closes>>) {
    openers.into_iter().filter_map(|opener| opener.upgrade()).for_each(|opener: Arc<dyn Closes>| opener.close());
}
