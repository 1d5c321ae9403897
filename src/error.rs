//! Errors, in words. Every layer returns these; the C API turns each into a status and a text.

use std::borrow::Cow;
use std::fmt;

/// A failed call. A miss or a refusal is a normal outcome, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An argument is not acceptable; the text says what was given and what is expected.
    InvalidArgument(Cow<'static, str>),
    /// A handle is of the wrong type or was freed; the text names the parameter.
    InvalidHandle(Cow<'static, str>),
    /// The caller's compute callback failed with this code.
    Callback(i32),
    /// A computation asked for the key that it computes itself.
    Recursion(Cow<'static, str>),
    /// A buffer is smaller than the result.
    BufferTooSmall {
        /// Bytes (or elements) of the result.
        needed: usize,
        /// Bytes (or elements) of the buffer.
        capacity: usize,
    },
    /// An allocation of this many bytes failed.
    OutOfMemory(usize),
    /// The library was built without the feature that the call needs.
    Unsupported(&'static str),
    /// A configuration value, usually from the environment, is invalid.
    Configuration(Cow<'static, str>),
    /// Another live cache has this name.
    NameInUse(Cow<'static, str>),
    /// Bytes that should be a record are not one, or are damaged.
    Damaged(Cow<'static, str>),
    /// A Redis server failed or refused; the text says what was tried, where, and why it failed.
    Redis(Cow<'static, str>),
    /// A file operation of a disk cache failed; the text says what was tried, where, and why it failed.
    Storage(Cow<'static, str>),
}

/// The result of every function that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An invalid argument, with a description.
    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Error::InvalidArgument(text.into())
    }
}

/// Copies a text; the allocation may fail.
pub fn try_owned(text: &str) -> Result<String> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| Error::OutOfMemory(text.len()))?;
    copy.push_str(text);
    Ok(copy)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidArgument(text)
            | Error::InvalidHandle(text)
            | Error::Configuration(text)
            | Error::Recursion(text)
            | Error::Damaged(text)
            | Error::Redis(text)
            | Error::Storage(text) => f.write_str(text),
            Error::NameInUse(name) => write!(f, "another live cache is named \"{name}\"; choose another name"),
            Error::Callback(code) => write!(f, "the compute callback returned {code}; nothing was cached"),
            Error::BufferTooSmall { needed, capacity } => {
                write!(f, "the buffer has room for {capacity}, but {needed} are needed")
            }
            Error::OutOfMemory(bytes) => write!(f, "out of memory: an allocation of {bytes} bytes failed"),
            Error::Unsupported(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Error {}
