//! Why an operation failed: what was tried, at which server, and what happened. A failure never contains a password.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::Secret;
use super::stream::IN_HANDSHAKE;
use crate::error::Error;

/// A failed operation.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The operation, for example "GET".
    pub operation: &'static str,
    /// The server: `host:port`, or the path of a unix socket.
    pub server: Arc<str>,
    /// Why it failed.
    pub cause: Cause,
}

/// Why an operation failed.
#[derive(Clone, Debug)]
pub enum Cause {
    /// Nothing was sent: the server failed before, and it is too early to try again.
    Skipped {
        /// The time until the next attempt.
        again_in: Duration,
    },
    /// The connection could not be opened, or the login was refused; the text says why.
    Unreachable(String),
    /// The deadline passed.
    TimedOut {
        /// The time that the operation was allowed.
        after: Duration,
        /// What it was doing.
        during: &'static str,
    },
    /// The connection broke, or delivered something that is not an answer; the text says which.
    Lost(String),
    /// The key is at another node of the cluster, and following the redirections led nowhere.
    Elsewhere {
        /// The last node that was named, fit for a message.
        node: String,
        /// The same, verbatim; it may be any text.
        at: Secret,
        /// Whether the node has the key only while its slot migrates.
        asking: bool,
    },
    /// The server refused, with a code such as "OOM" or "READONLY" and a text.
    Refused {
        /// The first word of the answer.
        code: String,
        /// The whole answer.
        text: String,
    },
    /// The server has a value that is longer than the cache accepts; it was skipped.
    TooLong {
        /// The length of the value.
        len: usize,
    },
    /// The caller asked for something impossible: a value that is too long, TLS files that do not exist.
    Invalid(Error),
}

impl Failure {
    /// Whether the server could not be asked; as opposed to a server that answered, and to a wrong question.
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
            // A server without TLS waits for the end of a line, which a handshake does not have.
            Cause::TimedOut { after, during: IN_HANDSHAKE } => write!(
                f,
                "no answer within {} ms ({IN_HANDSHAKE}; if the server has no TLS, its URL begins with redis://)",
                after.as_millis()
            ),
            Cause::TimedOut { after, during } => write!(f, "no answer within {} ms ({during})", after.as_millis()),
            Cause::Lost(why) => write!(f, "the connection broke: {why}"),
            Cause::Elsewhere { node, .. } => {
                write!(f, "the nodes of the cluster redirect to each other, and none has the key; the last was {node}")
            }
            // The advice comes first: message buffers are short, and servers talkative.
            Cause::Refused { code, text } => match advice(code).unwrap_or_default() {
                "" => write!(f, "the server refused: {text}"),
                advice => write!(f, "the server refused; {advice}: {text}"),
            },
            Cause::TooLong { len } => {
                write!(f, "a value of {len} bytes was skipped; it exceeds max_bytes, or the memory that is left")
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

/// What a refusal with this code means, and what to do. Empty if the server's own text must do; `None` if no server is
/// known to send this code.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "MOVED" | "ASK" => "it is a node of a cluster, so add cluster=yes to the URL",
        "NOAUTH" => "it requires a password, so set the login",
        "WRONGPASS" => "the user or the password is wrong",
        "NOPERM" => "the user's ACL forbids it; docs/redis.md lists what is needed",
        "READONLY" => "it is a replica, so name its primary in the URL",
        "LOADING" => "it is still loading its data; wait",
        "MASTERDOWN" => "it is a replica that has lost its primary",
        "CLUSTERDOWN" => "slots of the cluster have no node; see CLUSTER INFO",
        "OOM" => "it is full, so raise its maxmemory or set an eviction policy",
        "BUSY" => "a script keeps it busy; SCRIPT KILL ends the script",
        "MISCONF" => "it cannot save to its disk; its log says why",
        "TRYAGAIN" => "the keys of this slot are being moved; wait",
        "CROSSSLOT" => "the keys are in several slots, so add cluster=yes to the URL",
        "WRONGTYPE" => "another program uses the name, so choose another namespace",
        "NOREPLICAS" => "it has fewer replicas than min-replicas-to-write",
        "DENIED" => "it is in protected mode and accepts only local connections; set a password there",
        "ERR" | "EXECABORT" | "NOSCRIPT" | "NOTBUSY" | "NOPROTO" | "NOSUB" | "INPROG" | "UNKILLABLE" => "",
        _ => return None,
    })
}

/// The result of a server's operation.
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
