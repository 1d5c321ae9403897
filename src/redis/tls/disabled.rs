//! In place of `tls.rs` where the feature `tls` was built out: there are no sockets of this kind.

use std::io::{self, Read, Write};

use super::super::endpoint::Tls;
use super::super::socket::Socket;
use crate::error::{Error, Result};

/// There is none.
#[derive(Clone)]
pub enum TlsContext {}

impl TlsContext {
    /// Says that there is none.
    pub fn read(_tls: &Tls) -> Result<Self> {
        Err(Error::Unsupported("the library was built without TLS (the Cargo feature \"tls\")"))
    }
}

/// There is none.
pub enum TlsSocket {}

impl TlsSocket {
    /// Cannot be called.
    pub fn open(_socket: Socket, _host: &str, tls: &TlsContext) -> io::Result<Self> {
        match *tls {}
    }

    /// Cannot be called.
    pub fn socket(&mut self) -> &mut Socket {
        match *self {}
    }

    /// Cannot be called.
    pub fn is_quiet(&mut self) -> bool {
        match *self {}
    }
}

impl Read for TlsSocket {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for TlsSocket {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
