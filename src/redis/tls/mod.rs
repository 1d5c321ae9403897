//! TLS over a socket, or its absence: the feature `tls` decides.

#[cfg(not(feature = "tls"))]
mod disabled;
#[cfg(feature = "tls")]
mod enabled;

#[cfg(not(feature = "tls"))]
pub use disabled::{TlsContext, TlsSocket};
#[cfg(feature = "tls")]
pub use enabled::{TlsContext, TlsSocket};
