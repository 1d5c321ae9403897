//! Stands in for TLS if the feature `tls` is off: no TLS socket can be made.

use std::io::{self, Read, Write};

use crate::error::{Error, Result};
use crate::redis::endpoint::Tls;
use crate::redis::socket::Socket;

/// Cannot be made.
#[derive(Clone)]
pub enum TlsContext {}

impl TlsContext {
    /// Fails: TLS is not part of the build.
    pub fn read(_tls: &Tls) -> Result<Self> {
        Err(Error::Unsupported("the library was built without TLS (the Cargo feature \"tls\")"))
    }
}

/// Cannot be made.
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
