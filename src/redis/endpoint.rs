//! A parsed URL: where a server is and how to connect to it.
//!
//! | form | meaning |
//! |---|---|
//! | `redis://[user[:password]@]host[:port][/database]` | TCP; `valkey://` is the same |
//! | `rediss://…` | TLS over TCP; `valkeys://` is the same |
//! | `redis://…@host:port,host:port,…` | a cluster, by some or all nodes; `?cluster=yes` says so of a single one |
//! | `unix://[user[:password]@]/path[?db=1]` | a unix socket; `redis+unix://` is the same |
//!
//! Options follow a `?`, joined by `&`: `db`, `user`, `pass` (or `password`), `timeout_ms`, `cluster`, and for TLS
//! `ca`, `cert` and `key` (PEM files), `name`, `pin` and `verify=no`; `#insecure` at the end means the same as the last
//! one. User, password, path and option values may be percent-encoded. No message of this file repeats a URL, because
//! it may contain a password.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};

/// The port of a URL without one.
const PORT: u16 = 6379;

/// Where a server, or a cluster of servers, is and how to connect to it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The server, or known nodes of a cluster: at least one.
    pub addresses: Vec<Address>,
    /// Whether the server is a cluster.
    pub cluster: bool,
    /// The user that logs in; `None` is the server's default user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: u32,
    /// The options of TLS; `None` is a plain connection.
    pub tls: Option<Tls>,
    /// The time that one operation may take, with connecting and logging in.
    pub timeout: Duration,
    /// How long a failing server is not asked.
    pub backoff: Backoff,
}

/// The address of one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host, by name or number, and a port.
    Tcp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

/// What TLS verifies, and the files for that, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The authorities that may have signed the server's certificate; `None` is the system's.
    pub ca: Option<PathBuf>,
    /// The certificate that we present.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The name that the server's certificate must have; `None` is the host of the address.
    pub name: Option<String>,
    /// The SHA-256 fingerprints of the certificates that are trusted, and no others; empty for any.
    pub pins: Vec<Pin>,
    /// Whether the server's certificate is verified.
    pub verify: bool,
}

/// The SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` prints it.
pub type Pin = [u8; 32];

impl Default for Tls {
    fn default() -> Self {
        Tls { ca: None, certificate: None, key: None, name: None, pins: Vec::new(), verify: true }
    }
}

/// The pause between attempts at a failing server: it doubles from the first to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure, unless the failure took longer.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) }
    }
}

/// A password, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A password.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The password itself, for the server.
    #[cfg(feature = "redis")]
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// The time that one operation may take, by default.
    pub const TIMEOUT: Duration = Duration::from_secs(1);

    /// The longest time that any operation may take.
    pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

    /// A server at `address`; everything else has its default.
    pub fn at(address: Address) -> Self {
        Endpoint {
            addresses: vec![address],
            cluster: false,
            user: None,
            password: None,
            database: 0,
            tls: None,
            timeout: Self::TIMEOUT,
            backoff: Backoff::default(),
        }
    }

    /// Parses a URL.
    pub fn parse(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| Error::invalid(SCHEMES))?;
        let (unix, tls) = match scheme {
            "redis" | "valkey" => (false, false),
            "rediss" | "valkeys" => (false, true),
            "unix" | "redis+unix" => (true, false),
            _ => return Err(Error::invalid(SCHEMES)),
        };
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));

        let mut endpoint = Endpoint::at(Address::Unix(PathBuf::new()));
        endpoint.tls = tls.then(Tls::default);
        if unix {
            if path.len() < 2 || !hosts.is_empty() {
                return Err(Error::invalid(
                    "the URL of a unix socket names no file; expected one, as in unix:///run/redis.sock",
                ));
            }
            endpoint.addresses = vec![Address::Unix(decode(path)?.into())];
        } else {
            endpoint.addresses = hosts.split(',').map(address).collect::<Result<_>>()?;
            endpoint.cluster = endpoint.addresses.len() > 1;
            endpoint.set_database(path.trim_start_matches('/'))?;
        }
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        endpoint.set_login(user, password)?;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            endpoint.set_option(name, value)?;
        }
        match fragment {
            "" => {}
            "insecure" => endpoint.tls("#insecure")?.verify = false,
            _ => {
                return Err(Error::invalid(
                    "a Redis URL has an unknown word after its #; only \"insecure\" is allowed there",
                ));
            }
        }
        endpoint.check()?;
        Ok(endpoint)
    }

    /// Fails if the fields contradict each other, however they were set.
    pub fn check(&self) -> Result<()> {
        let unix = self.addresses.iter().any(|address| matches!(address, Address::Unix(_)));
        if self.addresses.is_empty() {
            return Err(Error::invalid("the endpoint of a Redis server has no address; expected at least one"));
        }
        if self.cluster && unix {
            return Err(Error::invalid("a cluster cannot be reached by unix sockets; use redis://host:port"));
        }
        if !self.cluster && self.addresses.len() > 1 {
            return Err(Error::invalid("several addresses of a Redis server are allowed only with cluster=yes"));
        }
        if self.tls.is_some() && unix {
            return Err(Error::invalid("TLS cannot be used with unix sockets; leave it out, or use rediss://"));
        }
        if self.tls.as_ref().is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
            return Err(Error::invalid(
                "a client certificate needs its key, and a key its certificate; give both cert= and key=",
            ));
        }
        if self.tls.as_ref().is_some_and(|tls| !tls.verify && (!tls.pins.is_empty() || tls.name.is_some())) {
            return Err(Error::invalid("verify=no trusts any certificate; leave it out, or leave out pin= and name="));
        }
        if !(Duration::from_millis(1)..=Self::LONGEST_TIMEOUT).contains(&self.timeout) {
            return Err(Error::invalid("the timeout is out of range; expected 1 to 3,600,000 ms"));
        }
        Ok(())
    }

    fn set_login(&mut self, user: &str, password: &str) -> Result<()> {
        if !user.is_empty() {
            self.user = Some(decode(user)?);
        }
        if !password.is_empty() {
            self.password = Some(Secret(decode(password)?));
        }
        Ok(())
    }

    fn set_database(&mut self, text: &str) -> Result<()> {
        if !text.is_empty() {
            self.database = text.parse().map_err(|_| {
                Error::invalid("the database of a Redis URL is not a number; expected one, as in redis://host/0")
            })?;
        }
        Ok(())
    }

    fn set_option(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "db" => self.set_database(value)?,
            "user" => self.set_login(value, "")?,
            "pass" | "password" => self.set_login("", value)?,
            "timeout_ms" => {
                let number = value
                    .parse()
                    .map_err(|_| Error::invalid("timeout_ms of a Redis URL is not a number; expected milliseconds"))?;
                self.timeout = Duration::from_millis(number);
            }
            "cluster" => self.cluster = switch(name, value)?,
            "ca" => self.tls(name)?.ca = Some(decode(value)?.into()),
            "cert" => self.tls(name)?.certificate = Some(decode(value)?.into()),
            "key" => self.tls(name)?.key = Some(decode(value)?.into()),
            "name" => self.tls(name)?.name = Some(decode(value)?),
            "pin" => self.tls(name)?.pins = decode(value)?.split(',').map(pin).collect::<Result<_>>()?,
            "verify" => self.tls(name)?.verify = switch(name, value)?,
            // The message does not repeat the name: it may be the rest of a password with an unencoded &.
            _ => return Err(Error::invalid(OPTIONS)),
        }
        Ok(())
    }

    fn tls(&mut self, name: &str) -> Result<&mut Tls> {
        let text =
            || Error::invalid(format!("\"{name}\" needs TLS; use a URL that begins with rediss:// or valkeys://"));
        self.tls.as_mut().ok_or_else(text)
    }
}

const SCHEMES: &str =
    "a Redis URL must begin with one of redis://, rediss://, valkey://, valkeys://, unix://, redis+unix://";

const OPTIONS: &str = "a Redis URL has an unknown option; the options are db, user, pass, timeout_ms, cluster, ca, \
    cert, key, name, pin and verify, joined by & (write & in a password as %26)";

/// Parses `host`, `host:port`, `[::1]` or `[::1]:port`.
fn address(text: &str) -> Result<Address> {
    let malformed =
        || Error::invalid("a host of a Redis URL is malformed; expected host:port, or [address]:port for IPv6");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(malformed)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok().filter(|&port| port > 0).ok_or_else(malformed)?,
        None if port.is_empty() => PORT,
        None => return Err(malformed()),
    };
    match host.is_empty() || host.contains(char::is_whitespace) {
        true => Err(malformed()),
        false => Ok(Address::Tcp(decode(host)?, port)),
    }
}

/// Parses a fingerprint: 64 hexadecimal digits, with or without colons.
fn pin(text: &str) -> Result<Pin> {
    let malformed = || {
        Error::invalid(
            "a pin= of a Redis URL is not a fingerprint; expected 64 hexadecimal digits, as openssl x509 -in FILE \
             -noout -fingerprint -sha256 prints",
        )
    };
    let digits: Option<Vec<u8>> =
        text.chars().filter(|digit| *digit != ':').map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits: [u8; 64] = digits.and_then(|digits| digits.try_into().ok()).ok_or_else(malformed)?;
    let mut pin = Pin::default();
    pin.iter_mut().zip(digits.as_chunks::<2>().0).for_each(|(byte, [high, low])| *byte = high << 4 | low);
    Ok(pin)
}

fn switch(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(Error::invalid(format!("\"{name}\" of a Redis URL must be yes or no"))),
    }
}

/// Replaces every `%` and its two hexadecimal digits by the byte that they encode.
fn decode(text: &str) -> Result<String> {
    let malformed = || {
        Error::invalid(
            "a % of a Redis URL is not followed by two hexadecimal digits of valid UTF-8; write a plain % as %25",
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(malformed);
        bytes.push(match byte {
            b'%' => (digit()? * 16 + digit()?) as u8,
            _ => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.into(), port)
    }

    #[test]
    fn a_url_has_host_port_login_and_database() {
        let plain = Endpoint::parse("redis://host").unwrap();
        assert_eq!(plain.addresses, [tcp("host", 6379)]);
        assert_eq!((plain.user, plain.password, plain.database, plain.tls), (None, None, 0, None));
        assert_eq!(plain.timeout, Endpoint::TIMEOUT);

        let full = Endpoint::parse("valkey://me:p%40ss:word@[::1]:7000/12?timeout_ms=250").unwrap();
        assert_eq!(full.addresses, [tcp("::1", 7000)]);
        assert_eq!((full.user.as_deref(), full.database), (Some("me"), 12));
        assert_eq!(full.password, Some(Secret::new("p@ss:word")));
        assert_eq!(full.timeout, Duration::from_millis(250));

        let password = Endpoint::parse("redis://:secret@host/").unwrap();
        assert_eq!((password.user, password.password), (None, Some(Secret::new("secret"))));
    }

    #[test]
    fn a_url_may_name_a_unix_socket() {
        for url in ["unix:///run/r%20s.sock?db=3&user=me&pass=secret", "redis+unix://me:secret@/run/r%20s.sock?db=3"] {
            let unix = Endpoint::parse(url).unwrap();
            assert_eq!(unix.addresses, [Address::Unix("/run/r s.sock".into())]);
            assert_eq!((unix.user.as_deref(), unix.database), (Some("me"), 3));
            assert_eq!(unix.password, Some(Secret::new("secret")));
        }
    }

    #[test]
    fn a_url_may_name_the_nodes_of_a_cluster() {
        let cluster = Endpoint::parse("redis://:secret@a:7000,b:7001,[fe80::1]/").unwrap();
        assert!(cluster.cluster);
        assert_eq!(cluster.addresses, [tcp("a", 7000), tcp("b", 7001), tcp("fe80::1", 6379)]);
        assert!(Endpoint::parse("redis://a:7000?cluster=yes").unwrap().cluster);
        assert!(!Endpoint::parse("redis://a:7000?cluster=no").unwrap().cluster);
        assert!(Endpoint::parse("redis://a:7000,b:7001?cluster=no").is_err());
    }

    #[test]
    fn a_url_has_the_settings_of_tls() {
        assert_eq!(Endpoint::parse("rediss://host").unwrap().tls, Some(Tls::default()));
        let tls = Endpoint::parse("valkeys://host?ca=/a/ca.pem&cert=/a/c.pem&key=/a/k.pem").unwrap().tls.unwrap();
        assert_eq!((tls.ca, tls.certificate), (Some("/a/ca.pem".into()), Some("/a/c.pem".into())));
        assert!(tls.verify && tls.name.is_none() && tls.pins.is_empty());
        let (plain, colons) = ("0aFF".repeat(16), ["AB"; 32].join(":"));
        let url = format!("rediss://host?name=redis.lab&pin={plain},{colons}");
        let tls = Endpoint::parse(&url).unwrap().tls.unwrap();
        assert_eq!(tls.name.as_deref(), Some("redis.lab"));
        assert_eq!(tls.pins, [[[0x0A, 0xFF]; 16].concat().try_into().unwrap(), [0xAB; 32]]);
        for url in ["rediss://host#insecure", "rediss://host/0?verify=no"] {
            assert!(!Endpoint::parse(url).unwrap().tls.unwrap().verify, "{url}");
        }
    }

    #[test]
    fn the_message_for_an_invalid_url_has_no_password() {
        for url in [
            "secret",
            "http://me:secret@host",
            "redis://me:secret@",
            "redis://me:secret@host:port",
            "redis://me:secret@host:0",
            "redis://me:secret@host:70000",
            "redis://me:secret@[::1",
            "redis://me:secret@[::1]x",
            "redis://me:secret@host/secret",
            "redis://me:secret%g0@host",
            "redis://me:secret@host#secure",
            "redis://me:secret@host#insecure",
            "redis://me:secret@host?ca=/x",
            "redis://me:secret@host?verify=perhaps",
            "redis://me:secret@host?timeout_ms=0",
            "redis://me:secret@host?timeout_ms=secret",
            "redis://me:secret@host?colour=secret",
            "redis://host?pass=se&secret",
            "rediss://me:secret@host?cert=/x",
            "rediss://me:secret@host?pin=secret",
            "rediss://me:secret@host?pin=",
            "rediss://me:secret@host?name=x&verify=no",
            "redis://me:secret@host?name=x",
            "unix://me:secret@host",
            "unix://me:secret@/x?cluster=yes",
            "redis://me:secret@a,,b",
        ] {
            let message = Endpoint::parse(url).err().unwrap_or_else(|| panic!("{url} was accepted")).to_string();
            assert!(!message.contains("secret") && !message.contains('\n'), "{url}: {message}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let endpoint = Endpoint::parse("redis://me:secret@host").unwrap();
        assert!(!format!("{endpoint:?} {:#?}", endpoint.password).contains("secret"));
    }

    #[test]
    fn an_address_is_printed_as_it_is_parsed() {
        for text in ["host:1", "[::1]:6379"] {
            assert_eq!(address(text).unwrap().to_string(), text);
        }
    }
}
