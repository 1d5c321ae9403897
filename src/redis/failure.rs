//! Why an operation failed: what was tried at which server, and what became of it. A failure never holds a password.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::Secret;
use crate::error::Error;

/// An operation that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was tried, for example "GET".
    pub operation: &'static str,
    /// Where: `host:port`, or the path of a unix socket.
    pub server: Arc<str>,
    /// Why it failed.
    pub cause: Cause,
}

/// Why an operation failed.
#[derive(Clone, Debug)]
pub enum Cause {
    /// Nothing was tried: the server failed before, and it is not yet time to try it again.
    Skipped {
        /// When it will be.
        again_in: Duration,
    },
    /// No connection came about, or the server did not let us in; the text says why.
    Unreachable(String),
    /// The deadline passed.
    TimedOut {
        /// What the operation was allowed to take.
        after: Duration,
        /// What it was doing.
        during: &'static str,
    },
    /// The connection broke, or what came over it was no answer; the text says which.
    Lost(String),
    /// The key is at another node of the cluster, and following the trail led nowhere.
    Elsewhere {
        /// The node that was named last, as messages call it.
        node: String,
        /// The same, as it was named; it may be anything.
        at: Secret,
        /// Whether it has the key only while the slot moves.
        asking: bool,
    },
    /// The server answered that it will not; its code, for example "OOM" or "READONLY", and its text.
    Refused {
        /// The first word of the answer.
        code: String,
        /// All of it.
        text: String,
    },
    /// The server has a value that is longer than what the cache takes; it was passed over.
    TooLong {
        /// The bytes of the value.
        len: usize,
    },
    /// What was asked cannot be: a value that is too large, files for TLS that are not there.
    Invalid(Error),
}

impl Failure {
    /// Whether the server could not be asked, in contrast to one that answered, and to a question that is wrong.
    pub fn is_outage(&self) -> bool {
        let is_answer = matches!(self.cause, Cause::Refused { .. } | Cause::Elsewhere { .. } | Cause::TooLong { .. });
        !is_answer && !matches!(self.cause, Cause::Invalid(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.operation, self.server, self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Skipped { again_in } => {
                write!(f, "skipped, because the server failed; it is tried again in {} ms", again_in.as_millis())
            }
            Cause::Unreachable(why) => write!(f, "no connection: {why}"),
            Cause::TimedOut { after, during } => write!(f, "no answer within {} ms ({during})", after.as_millis()),
            Cause::Lost(why) => write!(f, "the connection broke: {why}"),
            Cause::Elsewhere { node, .. } => {
                write!(f, "the nodes of the cluster name each other, and none has the key; the last was {node}")
            }
            // What is to be done stands first: buffers for messages are short, and servers talkative.
            Cause::Refused { code, text } => match advice(code).unwrap_or_default() {
                "" => write!(f, "the server refused: {text}"),
                advice => write!(f, "the server refused; {advice}: {text}"),
            },
            Cause::TooLong { len } => {
                write!(f, "a value of {len} bytes was passed over; it is more than max_bytes, or than memory is left")
            }
            Cause::Invalid(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Invalid(error) => error,
            _ => Error::Redis(failure.to_string().into()),
        }
    }
}

/// What a refusal of this code means, and what to do about it; empty where the server's own words have to do, and none
/// where it is no code that servers are known to have.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "MOVED" | "ASK" => "it is a node of a cluster, so say cluster=yes in the URL",
        "NOAUTH" => "it wants a password, so set the login",
        "WRONGPASS" => "the user or the password is wrong",
        "NOPERM" => "the user's ACL forbids it; docs/redis.md lists what is needed",
        "READONLY" => "it is a replica, so name its primary in the URL",
        "LOADING" => "it still loads its data; wait",
        "MASTERDOWN" => "it is a replica that has lost its primary",
        "CLUSTERDOWN" => "slots of the cluster have no node; see CLUSTER INFO",
        "OOM" => "it is full, so raise its maxmemory or set an eviction policy",
        "BUSY" => "a script keeps it busy; SCRIPT KILL ends that",
        "MISCONF" => "it cannot save to its disk; its log says why",
        "TRYAGAIN" => "the keys of this slot are being moved; wait",
        "CROSSSLOT" => "the keys are in several slots, so say cluster=yes in the URL",
        "WRONGTYPE" => "somebody else uses the name, so choose another namespace",
        "NOREPLICAS" => "it has fewer replicas than min-replicas-to-write",
        "DENIED" => "it is in protected mode, and takes local connections alone",
        "ERR" | "EXECABORT" | "NOSCRIPT" | "NOTBUSY" | "NOPROTO" | "NOSUB" | "INPROG" | "UNKILLABLE" => "",
        _ => return None,
    })
}

/// What the operations of a server give.
pub type Answer<T> = std::result::Result<T, Failure>;

/// The longest part of a server's text that a message repeats.
const LONGEST: usize = 200;

/// A server's text, fit for one line of a message.
pub(super) fn one_line(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = clean.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}
