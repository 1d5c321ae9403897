//! TLS: which certificates are trusted, and deadlines. Each test makes its certificates.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use phicache::redis::{Cause, Endpoint, Server, Store, Tls};

use super::server::{Running, endpoint, free_port, new_folder, skip};

const SLACK: Duration = Duration::from_secs(20);

/// Certificates in a folder: an authority, certificates of a server and a client that it signed, and another authority
/// that signed nothing.
struct Certificates(PathBuf);

impl Certificates {
    fn make() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skip("there is no openssl. To have it: apt-get install openssl");
            return None;
        }
        let made = Certificates(new_folder());
        for authority in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={authority} \
                 -keyout {authority}.key -out {authority}.pem"
            ));
        }
        made.sign("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
        made.sign("elsewhere", "subjectAltName=DNS:elsewhere.example");
        made.sign("client", "extendedKeyUsage=clientAuth");
        Some(made)
    }

    /// A self-signed certificate.
    fn self_sign(&self, name: &str, extensions: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} {extensions} \
             -keyout {name}.key -out {name}.pem"
        ));
    }

    fn sign(&self, name: &str, extension: &str) {
        std::fs::write(self.0.join("extension"), extension).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key -out \
             request"
        ));
        self.openssl(&format!(
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extension -out {name}.pem"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' ').filter(|word| !word.is_empty()))
            .current_dir(&self.0)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The fingerprint of a certificate, as openssl prints it.
    fn fingerprint(&self, name: &str) -> String {
        let printed = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(self.path(&format!("{name}.pem")))
            .output();
        String::from_utf8(printed.unwrap().stdout).unwrap().trim().split_once('=').unwrap().1.to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server with TLS that shows the certificate of this name.
struct Encrypted {
    running: Running,
    port: u16,
}

impl Encrypted {
    fn start(certificates: &Certificates, name: &str, clients: &str) -> Option<Self> {
        let port = free_port();
        let (certificate, key) = (certificates.text(&format!("{name}.pem")), certificates.text(&format!("{name}.key")));
        let (ca, tls_port) = (certificates.text("ca.pem"), port.to_string());
        let options = [
            ["--tls-port", &tls_port],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &ca],
            ["--tls-auth-clients", clients],
        ];
        let running = Running::start(options.as_flattened())?;
        Some(Encrypted { running, port })
    }

    fn endpoint(&self, tls: Tls) -> Endpoint {
        Endpoint { tls: Some(tls), ..endpoint(&format!("redis://127.0.0.1:{}", self.port)) }
    }

    fn connect(&self, tls: Tls) -> Server {
        Server::new(self.endpoint(tls)).unwrap()
    }
}

fn trusting(path: &Path) -> Tls {
    Tls { ca: Some(path.into()), ..Tls::default() }
}

/// The reason why no connection is possible.
fn refused(server: &Server) -> String {
    match server.get(b"key").unwrap_err().cause {
        Cause::Unreachable(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn values_pass_through_tls_unchanged() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(encrypted) = Encrypted::start(&certificates, "server", "no") else { return };
    let by_url = format!("rediss://127.0.0.1:{}?ca={}", encrypted.port, certificates.text("ca.pem"));
    for server in [encrypted.connect(trusting(&certificates.path("ca.pem"))), Server::new(endpoint(&by_url)).unwrap()] {
        for len in [0, 1, 100, 16_384, 70_000, 5_000_000] {
            let value: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
            assert!(server.set(b"key", &value, Store::default()).unwrap());
            assert!(server.get(b"key").unwrap().unwrap() == value);
        }
        let pairs: Vec<([u8; 4], Vec<u8>)> = (0..300u32).map(|n| (n.to_le_bytes(), vec![n as u8; 500])).collect();
        let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        assert!(server.set_many(&pairs, Store::default()).1.is_none());
        let keys: Vec<&[u8]> = pairs.iter().map(|&(key, _)| key).collect();
        let batch = server.get_many(&keys);
        assert!(batch.failure.is_none());
        assert!(batch.values.iter().zip(&pairs).all(|(value, pair)| value.as_deref() == Some(pair.1)));
        // After a pause the connection is still used.
        std::thread::sleep(Duration::from_millis(20));
        server.ping(Duration::from_secs(5)).unwrap();
        assert_eq!(server.health().connections, 1);
    }
}

#[test]
fn a_server_is_trusted_only_with_the_right_authority_and_name() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(encrypted) = Encrypted::start(&certificates, "server", "no") else { return };
    for tls in [trusting(&certificates.path("other.pem")), Tls::default()] {
        let why = refused(&encrypted.connect(tls));
        assert!(why.contains("certificate") && why.contains("(in the TLS handshake)"), "{why}");
    }
    let elsewhere = Encrypted::start(&certificates, "elsewhere", "no").unwrap();
    let why = refused(&elsewhere.connect(trusting(&certificates.path("ca.pem"))));
    assert!(why.contains("not valid for name"), "{why}");
    // Without verification any certificate is trusted.
    for encrypted in [&encrypted, &elsewhere] {
        let server = encrypted.connect(Tls { verify: false, ..Tls::default() });
        assert!(server.set(b"key", b"value", Store::default()).unwrap());
    }
}

#[test]
fn a_self_signed_certificate_is_trusted_if_the_url_names_it() {
    let Some(certificates) = Certificates::make() else { return };
    // The default of openssl, which may sign others (CA:TRUE); one that may not; one of another name.
    certificates.self_sign("own", "-addext subjectAltName=IP:127.0.0.1");
    certificates
        .self_sign("own-only", "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE");
    certificates.self_sign("nameless", "-addext subjectAltName=DNS:elsewhere.example");
    for name in ["own", "own-only"] {
        let Some(encrypted) = Encrypted::start(&certificates, name, "no") else { return };
        let server = encrypted.connect(trusting(&certificates.path(&format!("{name}.pem"))));
        assert!(server.set(b"key", b"value", Store::default()).unwrap(), "{name}");
        // If the URL names another certificate it is not trusted, and the message says what to do.
        let why = refused(&encrypted.connect(trusting(&certificates.path("ca.pem"))));
        assert!(why.contains("name") && why.contains("ca="), "{why}");
        assert!(!why.contains("Other("), "{why}");
    }
    let Some(nameless) = Encrypted::start(&certificates, "nameless", "no") else { return };
    let why = refused(&nameless.connect(trusting(&certificates.path("nameless.pem"))));
    assert!(why.contains("not valid for name"), "{why}");
}

#[test]
fn a_url_may_name_the_host_that_the_certificate_has() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(elsewhere) = Encrypted::start(&certificates, "elsewhere", "no") else { return };
    let trusted = trusting(&certificates.path("ca.pem"));
    let named = |name: &str| Tls { name: Some(name.into()), ..trusted.clone() };
    assert!(refused(&elsewhere.connect(trusted.clone())).contains("not valid for name"));
    assert!(elsewhere.connect(named("elsewhere.example")).set(b"key", b"value", Store::default()).unwrap());
    let why = refused(&elsewhere.connect(named("other.example")));
    assert!(why.contains("not valid for name"), "{why}");
    let url =
        format!("rediss://127.0.0.1:{}?ca={}&name=elsewhere.example", elsewhere.port, certificates.text("ca.pem"));
    assert!(Server::new(endpoint(&url)).unwrap().set(b"key", b"value", Store::default()).unwrap());
    let wrong = Server::new(elsewhere.endpoint(named("not a name"))).err().unwrap().to_string();
    assert!(wrong.contains("\"not a name\" is not the name of a host"), "{wrong}");
}

#[test]
fn a_pinned_certificate_is_trusted_and_no_other() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(elsewhere) = Encrypted::start(&certificates, "elsewhere", "no") else { return };
    let (pin, other) = (certificates.fingerprint("elsewhere"), certificates.fingerprint("server"));
    let at =
        |options: &str| Server::new(endpoint(&format!("rediss://127.0.0.1:{}?{options}", elsewhere.port))).unwrap();
    // Neither its authority nor its name is known.
    assert!(at(&format!("pin={pin}")).set(b"key", b"value", Store::default()).unwrap());
    assert!(at(&format!("pin={other},{pin}")).set(b"key", b"value", Store::default()).unwrap());
    let why = refused(&at(&format!("pin={other}")));
    let digits = pin.replace(':', "").to_lowercase();
    assert!(why.contains("not the pinned one") && why.contains(&digits), "{why}");
    // With an authority, all is verified in addition.
    let ca = certificates.text("ca.pem");
    assert!(refused(&at(&format!("pin={pin}&ca={ca}"))).contains("not valid for name"));
    let all = format!("pin={pin}&ca={ca}&name=elsewhere.example");
    assert!(at(&all).set(b"key", b"value", Store::default()).unwrap());
    assert!(refused(&at(&all.replace(&pin, &other))).contains("not the pinned one"));
}

#[test]
fn a_client_shows_its_certificate_to_a_server_that_requires_one() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(encrypted) = Encrypted::start(&certificates, "server", "yes") else { return };
    let without = trusting(&certificates.path("ca.pem"));
    let with = Tls {
        certificate: Some(certificates.path("client.pem")),
        key: Some(certificates.path("client.key")),
        ..without.clone()
    };
    assert!(encrypted.connect(with).set(b"key", b"value", Store::default()).unwrap());
    assert!(encrypted.connect(without).get(b"key").unwrap_err().is_outage());
}

#[test]
fn unusable_certificate_files_are_named_at_once() {
    let Some(certificates) = Certificates::make() else { return };
    let at = |tls| Server::new(Endpoint { tls: Some(tls), ..endpoint("redis://127.0.0.1") }).err().unwrap().to_string();
    std::fs::write(certificates.path("empty.pem"), "nothing\n").unwrap();
    for name in ["missing.pem", "empty.pem", "ca.key"] {
        let message = at(trusting(&certificates.path(name)));
        assert!(message.contains(&certificates.text(name)), "{message}");
    }
    let of_another = Tls {
        certificate: Some(certificates.path("client.pem")),
        key: Some(certificates.path("server.key")),
        ..Tls::default()
    };
    let message = at(Tls { verify: false, ..of_another });
    assert!(message.contains(&certificates.text("client.pem")), "{message}");
}

#[test]
fn a_handshake_with_a_frozen_server_times_out() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(encrypted) = Encrypted::start(&certificates, "server", "no") else { return };
    let timeout = Duration::from_millis(150);
    let tls = trusting(&certificates.path("ca.pem"));
    let server = Server::new(Endpoint { timeout, ..encrypted.endpoint(tls) }).unwrap();
    encrypted.running.freeze();
    let began = Instant::now();
    let failure = server.get(b"key").unwrap_err();
    assert!(matches!(failure.cause, Cause::TimedOut { during: "in the TLS handshake", .. }), "{failure}");
    assert!(began.elapsed() < timeout + SLACK);
    encrypted.running.thaw();
    server.ping(Duration::from_secs(5)).unwrap();
    // A connection that exists times out too.
    encrypted.running.freeze();
    let began = Instant::now();
    let failure = server.set(b"key", &vec![7; 32 << 20], Store::default()).unwrap_err();
    assert!(matches!(failure.cause, Cause::TimedOut { during: "sending", .. }), "{failure}");
    assert!(began.elapsed() < timeout + SLACK);
}

#[test]
fn a_mismatch_of_plain_and_tls_connections_says_why() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(encrypted) = Encrypted::start(&certificates, "server", "no") else { return };
    let plain = Server::new(Endpoint { tls: None, ..encrypted.endpoint(Tls::default()) }).unwrap();
    assert!(plain.get(b"key").unwrap_err().is_outage());
    // A plain server waits for the end of a line and never answers the handshake.
    let timeout = Duration::from_millis(200);
    let tls = Some(trusting(&certificates.path("ca.pem")));
    let reverse = Server::new(Endpoint { tls, timeout, ..endpoint(&encrypted.running.url()) }).unwrap();
    let text = reverse.get(b"key").unwrap_err().to_string();
    assert!(text.contains("(in the TLS handshake; if the server has no TLS, its URL begins with redis://)"), "{text}");
}
