//! TLS over a socket, by rustls: all of it under the socket's one deadline, the handshake too.
//!
//! The provider of the cryptography is named explicitly (ring, which needs only a C compiler to build); without that
//! rustls looks for one that the process has installed, and panics where there is none or two. Sessions are not resumed:
//! their store has a lock, which a fork could leave closed in the child.
//!
//! A certificate is checked as rustls does it: its authority, its time, its name; not whether it was revoked. One thing is
//! taken beside that. A server with a certificate that it signed itself is trusted where that very certificate was named as
//! `ca`; rustls has no use for such a one if it may sign others, as those do that openssl makes unless it is told not to.

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

use super::super::endpoint::Tls;
use super::super::socket::Socket;
use crate::error::{Error, Result};

/// What all connections to a server share: whom they trust and how they show who they are.
#[derive(Clone)]
pub struct TlsContext(Arc<ClientConfig>);

impl TlsContext {
    /// Reads the files of `tls`.
    pub fn read(tls: &Tls) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::invalid(format!("TLS: {error}")))?;
        let verifier: Arc<dyn ServerCertVerifier> = match tls.verify {
            true => Arc::new(Named::of(tls.ca.as_deref(), provider)?),
            false => Arc::new(AnyCertificate(provider)),
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
        Ok(TlsContext(Arc::new(config)))
    }
}

fn unusable(what: &str, path: &Path, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the TLS {what} {} cannot be used: {why}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match read {
        Ok(found) if found.is_empty() => Err(unusable("certificate", path, "it holds none")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable("certificate", path, error)),
    }
}

/// Those of the system. It may hold certificates that are out of date or out of form; those that are good are enough. That
/// they could not be read, where no descriptor is free for example, does not say that there are none.
fn of_system(found: CertificateResult) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if store.add_parsable_certificates(found.certs).0 > 0 {
        return Ok(store);
    }
    Err(Error::invalid(match found.errors.first() {
        Some(error) => format!("TLS: the system's certificates of authorities cannot be read: {error}"),
        None => "TLS: the system has no certificates of authorities; name a file of them with ca=".into(),
    }))
}

/// The usual checks; and a certificate that is itself one of those that were named is the server's own.
#[derive(Debug)]
struct Named {
    usual: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Named {
    /// Trusts the authorities of a file, or the system's.
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
            // What is said of a certificate that may sign others after its time was found right, and before its name
            // is looked at.
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

const UNKNOWN_ISSUER: &str =
    "nobody whom we trust has signed the server's certificate; name the file of who has, or of itself, with ca=";

const OWN_AUTHORITY: &str = "the server's certificate is one that may sign others (CA:TRUE), and not the one that was \
    named; name it with ca=, or make one with CA:FALSE";

/// A socket that speaks TLS.
pub struct TlsSocket {
    socket: Socket,
    session: ClientConnection,
}

impl TlsSocket {
    /// Shakes hands with `host`.
    pub fn open(mut socket: Socket, host: &str, tls: &TlsContext) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(tls.0.clone(), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(TlsSocket { socket, session })
    }

    /// The socket below.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Whether there is nothing to be read.
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
                // A peer that goes without a word, as servers do that are killed.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            self.session.read_tls(&mut self.socket)?;
            let processed = self.session.process_new_packets();
            // What TLS itself has to say: an alert, or new keys.
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

/// Takes any certificate, but still checks that the server holds its key.
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
