//! What can go wrong, in words. Every layer returns these; the C face turns each into a status and its text.

use std::borrow::Cow;
use std::fmt;

/// A failure of a call: never a normal outcome such as a miss or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An argument is outside what the call accepts; the text says what was given and what was expected.
    InvalidArgument(Cow<'static, str>),
    /// A handle is of the wrong type or was freed; the text names the parameter.
    InvalidHandle(Cow<'static, str>),
    /// The caller's compute callback failed with this code.
    Callback(i32),
    /// A computation asked for the key that it is itself computing.
    Recursion(Cow<'static, str>),
    /// A buffer holds fewer bytes than the answer needs.
    BufferTooSmall {
        /// Bytes (or elements) that the answer needs.
        needed: usize,
        /// Bytes (or elements) that the caller offered.
        capacity: usize,
    },
    /// An allocation of this many bytes failed.
    OutOfMemory(usize),
    /// The library was built without what the call needs.
    Unsupported(&'static str),
    /// A configuration value, usually from the environment, is invalid.
    Configuration(Cow<'static, str>),
    /// A live cache has this name already.
    NameInUse(Cow<'static, str>),
    /// Bytes that should be a record are not, or are damaged.
    Damaged(Cow<'static, str>),
    /// A Redis server could not be asked, or refused; the text says what was tried, where, and why it failed.
    Redis(Cow<'static, str>),
}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An invalid argument, described.
    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Error::InvalidArgument(text.into())
    }
}

/// A copy of a text, whose allocation may fail.
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
            | Error::Redis(text) => f.write_str(text),
            Error::NameInUse(name) => write!(f, "a live cache is named \"{name}\" already"),
            Error::Callback(code) => write!(f, "the compute callback returned {code}; nothing was cached"),
            Error::BufferTooSmall { needed, capacity } => {
                write!(f, "the buffer holds {capacity}, but {needed} are needed")
            }
            Error::OutOfMemory(bytes) => write!(f, "out of memory: an allocation of {bytes} bytes failed"),
            Error::Unsupported(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Error {}
