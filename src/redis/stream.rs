//! The bytes to and from a server, plain or through TLS, under the deadline of the operation.

use std::io::{self, Read, Write};

use super::endpoint::Address;
use super::socket::{Deadline, Socket};
use super::tls::{TlsContext, TlsSocket};

/// What a connection is doing until both sides have agreed on keys.
pub(super) const IN_HANDSHAKE: &str = "in the TLS handshake";

/// A connection.
pub enum Stream {
    /// TCP or unix.
    Plain(Socket),
    /// TLS over TCP.
    Tls(Box<TlsSocket>),
}

impl Stream {
    /// Connects, with a handshake if TLS is used; `during` says what it was doing if it fails.
    pub fn connect(
        address: &Address,
        tls: Option<&TlsContext>,
        deadline: Deadline,
        during: &mut &'static str,
    ) -> io::Result<Self> {
        *during = "connecting";
        let socket = Socket::connect(address, deadline)?;
        match (tls, address) {
            (Some(tls), Address::Tcp(host, _)) => {
                *during = IN_HANDSHAKE;
                Ok(Stream::Tls(Box::new(TlsSocket::open(socket, host, tls)?)))
            }
            _ => Ok(Stream::Plain(socket)),
        }
    }

    /// Sets the deadline of everything that follows.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        match self {
            Stream::Plain(socket) => socket.set_deadline(deadline),
            Stream::Tls(tls) => tls.socket().set_deadline(deadline),
        }
    }

    /// Whether the peer has neither closed the connection nor sent anything unasked.
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Stream::Plain(socket) => socket.is_quiet(),
            Stream::Tls(tls) => tls.is_quiet(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}
