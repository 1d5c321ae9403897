//! TLS over a socket, by rustls, under the socket's one deadline, which covers the handshake too.
//!
//! The cryptography provider is named explicitly (ring, which needs only a C compiler to build). Otherwise rustls looks
//! for one that the process has installed, and panics if there are none or two. Sessions are not resumed: a fork could
//! leave the lock of their store locked in the child.
//!
//! rustls verifies the authority, the validity and the name of a certificate, but no revocation. We accept one more
//! case: a self-signed certificate is trusted if the same certificate was named as `ca`. rustls rejects it if it may
//! sign others, and openssl makes such certificates by default. A pinned certificate is trusted by its fingerprint:
//! without a `ca` nothing else is checked, as with the keys of hosts in ssh.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_native_certs::CertificateResult;

use crate::error::{Error, Result};
use crate::redis::endpoint::{Pin, Tls};
use crate::redis::socket::Socket;

/// The configuration of all connections to a server: whom they trust, and which certificate they present.
#[derive(Clone)]
pub struct TlsContext {
    config: Arc<ClientConfig>,
    /// The name that is expected in place of the host's.
    name: Option<ServerName<'static>>,
}

impl TlsContext {
    /// Reads the files of `tls`.
    pub fn read(tls: &Tls) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::invalid(format!("TLS: {error}")))?;
        let name =
            tls.name.as_deref().map(server_name).transpose().map_err(|error| Error::invalid(error.to_string()))?;
        let named = |provider| Ok::<_, Error>(Arc::new(Named::of(tls.ca.as_deref(), provider)?));
        let verifier: Arc<dyn ServerCertVerifier> = match (tls.verify, &tls.pins[..], &tls.ca) {
            (false, ..) => Arc::new(AnyCertificate(provider)),
            (true, [], _) => named(provider)?,
            (true, pins, None) => Arc::new(Pinned { pins: pins.into(), then: Arc::new(AnyCertificate(provider)) }),
            (true, pins, Some(_)) => Arc::new(Pinned { pins: pins.into(), then: named(provider)? }),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => {
                let unreadable = |error| unusable("key", key, error);
                let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable)?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, secret)
                    .map_err(|error| unusable("certificate", certificate, error))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(TlsContext { config: Arc::new(config), name })
    }
}

/// The name of a server, to be found in its certificate.
fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| io::Error::other(format!("TLS: \"{host}\" is not the name of a host")))
}

fn unusable(what: &str, path: &Path, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the TLS {what} {} cannot be used: {why}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match read {
        Ok(found) if found.is_empty() => Err(unusable("certificate", path, "it contains none")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable("certificate", path, error)),
    }
}

/// The system's authorities. Some certificates may be expired or malformed; the good ones are enough. That they cannot
/// be read, for example because no descriptor is free, does not mean that there are none.
fn of_system(found: CertificateResult) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if store.add_parsable_certificates(found.certs).0 > 0 {
        return Ok(store);
    }
    Err(Error::invalid(match found.errors.first() {
        Some(error) => format!("TLS: the system's authorities cannot be read: {error}"),
        None => "TLS: the system has no certificates of authorities; name a file with ca=".into(),
    }))
}

/// The usual verification, extended by certificates that are themselves named as `ca`.
#[derive(Debug)]
struct Named {
    usual: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Named {
    /// Trusts the authorities in a file, or the system's.
    fn of(path: Option<&Path>, provider: Arc<CryptoProvider>) -> Result<Self> {
        let (store, named) = match path {
            None => (of_system(rustls_native_certs::load_native_certs())?, Vec::new()),
            Some(path) => {
                let (mut store, named) = (RootCertStore::empty(), certificates(path)?);
                for certificate in &named {
                    store.add(certificate.clone()).map_err(|error| unusable("authority", path, error))?;
                }
                (store, named)
            }
        };
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        Ok(Named { usual: usual.map_err(|error| Error::invalid(format!("TLS: {error}")))?, named })
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let usual = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match usual {
            // The error for a certificate that may sign others; it comes after its validity was verified and before its
            // name is.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                if why.0.to_string() == "CaUsedAsEndEntity" =>
            {
                if !self.named.iter().any(|named| named == end_entity) {
                    return Err(rustls::Error::General(OWN_AUTHORITY.into()));
                }
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                Err(rustls::Error::General(UNKNOWN_ISSUER.into()))
            }
            usual => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Trusts certificates with one of these fingerprints, if another verifier does too.
#[derive(Debug)]
struct Pinned {
    pins: Box<[Pin]>,
    then: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let fingerprint = sha256(end_entity).ok_or_else(|| rustls::Error::General("there is no SHA-256".into()))?;
        if !self.pins.contains(&fingerprint) {
            let digits: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(rustls::Error::General(format!("the server's certificate, {digits}, is not the pinned one")));
        }
        self.then.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.then.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.then.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.then.supported_verify_schemes()
    }
}

/// The fingerprint of a certificate. rustls has the hash as part of a cipher suite.
fn sha256(certificate: &CertificateDer<'_>) -> Option<Pin> {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13()?;
    suite.common.hash_provider.hash(certificate).as_ref().try_into().ok()
}

const UNKNOWN_ISSUER: &str = "no trusted authority has signed the server's certificate; name the file of its \
    authority, or of the certificate itself, with ca=";

const OWN_AUTHORITY: &str = "the server's certificate may sign others (CA:TRUE) and is not the one that was named; \
    name it with ca=, or make one with CA:FALSE";

/// A TLS socket.
pub struct TlsSocket {
    socket: Socket,
    session: ClientConnection,
}

impl TlsSocket {
    /// Opens a connection, with a handshake with `host`.
    pub fn open(mut socket: Socket, host: &str, tls: &TlsContext) -> io::Result<Self> {
        let name = tls.name.clone().map_or_else(|| server_name(host), Ok)?;
        let mut session = ClientConnection::new(tls.config.clone(), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(TlsSocket { socket, session })
    }

    /// The socket below.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Whether nothing can be read.
    pub fn is_quiet(&mut self) -> bool {
        let decrypted = self.session.reader().read(&mut [0]);
        matches!(decrypted, Err(error) if error.kind() == ErrorKind::WouldBlock) && self.socket.is_quiet()
    }
}

impl Read for TlsSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The peer closed without a word, as killed servers do.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            self.session.read_tls(&mut self.socket)?;
            let processed = self.session.process_new_packets();
            // A message of TLS itself: an alert, or new keys.
            while self.session.wants_write() {
                self.session.write_tls(&mut self.socket)?;
            }
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for TlsSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        self.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

/// Accepts any certificate, but verifies that the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_certificate_that_was_named_itself_is_still_checked_for_its_time_and_name() {
        let folder = std::env::temp_dir().join(format!("phicache-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("own.pem");
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=own"])
            .args(["-addext", "subjectAltName=DNS:own.example", "-keyout", "/dev/null", "-out"])
            .arg(&path)
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            eprintln!("SKIPPED: there is no openssl. To have it: apt-get install openssl");
            return;
        }
        let named = Named::of(Some(&path), Arc::new(ring::default_provider())).unwrap();
        let certificate = certificates(&path).unwrap().remove(0);
        let check = |name: &'static str, days: i64| {
            let today = UnixTime::now().as_secs() as i64;
            let now = UnixTime::since_unix_epoch(Duration::from_secs((today + days * 86_400) as u64));
            named.verify_server_cert(&certificate, &[], &ServerName::try_from(name).unwrap(), &[], now)
        };
        check("own.example", 1).unwrap();
        for (name, days) in [("own.example", 3), ("own.example", -1), ("other.example", 1)] {
            assert!(matches!(check(name, days), Err(rustls::Error::InvalidCertificate(_))), "{name}, {days}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn that_the_systems_authorities_cannot_be_read_does_not_say_that_there_are_none() {
        let message = |found| of_system(found).unwrap_err().to_string();
        assert!(message(CertificateResult::default()).contains("has no certificates"));
        let mut found = CertificateResult::default();
        found.errors.push(rustls_native_certs::Error {
            context: "failed to open file",
            kind: rustls_native_certs::ErrorKind::Io {
                inner: io::Error::from_raw_os_error(libc::EMFILE),
                path: "/etc/ssl/certs".into(),
            },
        });
        let message = message(found);
        assert!(message.contains("cannot be read") && message.contains("/etc/ssl/certs"), "{message}");
        assert!(message.contains("Too many open files"), "{message}");
    }
}
