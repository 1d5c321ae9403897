//! Servers that die, freeze, are full or read-only.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use phicache::redis::{Backoff, Cause, Endpoint, Server, Store, Token};

use super::server::{Running, both_ways, connect, endpoint, eventually, free_port, impatient};

const PLAIN: Store = Store { ttl: None, only_new: false };

/// The time that an operation may take beyond its timeout on a loaded machine; without a timeout it would never return.
const SLACK: Duration = Duration::from_secs(20);

/// A client that waits long between attempts to connect.
fn patient(url: &str, milliseconds: u64) -> Server {
    let backoff = Backoff { first: Duration::from_secs(30), longest: Duration::from_secs(60) };
    Server::new(Endpoint { timeout: Duration::from_millis(milliseconds), backoff, ..endpoint(url) }).unwrap()
}

/// A dead server costs at most one timeout, then operations skip it.
fn costs_one_timeout(server: &Server, timeout: Duration) {
    let began = Instant::now();
    let failure = server.get(b"key").unwrap_err();
    assert!(failure.is_outage() && !matches!(failure.cause, Cause::Skipped { .. }), "{failure}");
    assert!(began.elapsed() < timeout + SLACK, "{:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(matches!(server.get(b"key").unwrap_err().cause, Cause::Skipped { .. }));
        assert!(matches!(server.get_many(&[b"key"]).failure.unwrap().cause, Cause::Skipped { .. }));
    }
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
    let health = server.health();
    assert_eq!((health.failures, health.skipped), (1, 2000));
    assert!(health.skipping.is_some_and(|left| left > Duration::from_secs(10)));
    assert_eq!(health.last_error.unwrap(), failure.to_string());
}

#[test]
fn an_absent_server_costs_next_to_nothing() {
    let server = patient(&format!("redis://127.0.0.1:{}", free_port()), 1000);
    costs_one_timeout(&server, Duration::ZERO);
}

#[test]
fn a_server_that_never_answers_costs_one_timeout() {
    // The operating system accepts the connection; no program reads from it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for login in ["", "me:secret@"] {
        let server = patient(&format!("redis://{login}127.0.0.1:{}", listener.local_addr().unwrap().port()), 150);
        costs_one_timeout(&server, Duration::from_millis(150));
        let error = server.health().last_error.unwrap();
        assert!(error.contains("no answer within 150 ms"), "{error}");
    }
    // The server is skipped for as long as it has cost, even if the retry interval is shorter.
    let url = format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_secs(10) };
    let server = Server::new(Endpoint { timeout: Duration::from_secs(2), backoff, ..endpoint(&url) }).unwrap();
    assert!(server.get(b"key").unwrap_err().is_outage());
    assert!(server.health().skipping.is_some_and(|left| left > Duration::from_millis(50)));
}

#[test]
fn a_frozen_server_costs_one_timeout_and_is_found_when_it_thaws() {
    let Some(running) = Running::start(&[]) else { return };
    let url = running.url();
    let (patient, server) = (patient(&url, 150), impatient(&url, 150));
    for server in [&patient, &server] {
        assert!(server.set(b"key", b"value", PLAIN).unwrap());
    }
    running.freeze();
    costs_one_timeout(&patient, Duration::from_millis(150));
    // Each attempt costs one of the threads one timeout; the others skip the server.
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while began.elapsed() < Duration::from_millis(800) {
                    let began = Instant::now();
                    assert!(server.get(b"key").unwrap_err().is_outage());
                    assert!(began.elapsed() < Duration::from_millis(150) + SLACK);
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
    let failures = server.health().failures;
    assert!((1..=8 + 6).contains(&failures), "{failures}");
    running.thaw();
    eventually("it is found again", || server.get(b"key").is_ok());
    // Late answers of the frozen server are not taken for answers to new commands.
    for number in 0..100u32 {
        assert!(server.set(&number.to_le_bytes(), &number.to_be_bytes(), PLAIN).unwrap());
        assert_eq!(server.get(&number.to_le_bytes()).unwrap().unwrap(), number.to_be_bytes());
    }
    assert!(server.health().reconnects > 0);
    // A ping is sent even while the server is skipped; its answer ends the skipping.
    assert!(matches!(patient.get(b"key").unwrap_err().cause, Cause::Skipped { .. }));
    patient.ping(Duration::from_secs(5)).unwrap();
    assert_eq!(patient.get(b"key").unwrap().unwrap(), b"value");
    assert_eq!(patient.health().skipping, None);
}

#[test]
fn sending_a_large_value_to_a_frozen_server_times_out() {
    let Some(running) = Running::start(&[]) else { return };
    let value = vec![7; 32 << 20];
    for (number, server) in both_ways(&running).into_iter().enumerate() {
        let timeout = Duration::from_millis(200);
        let server = Server::new(Endpoint { timeout, ..server.endpoint().clone() }).unwrap();
        server.ping(Duration::from_secs(5)).unwrap();
        running.freeze();
        let began = Instant::now();
        let failure = match number {
            0 => server.set(b"key", &value, PLAIN).unwrap_err(),
            _ => server.set_many(&[(b"key", &value), (b"other", &value)], PLAIN).1.unwrap(),
        };
        assert!(began.elapsed() < timeout + SLACK, "{:?}", began.elapsed());
        assert!(matches!(failure.cause, Cause::TimedOut { during: "sending", .. }), "{failure}");
        running.thaw();
    }
}

#[test]
fn a_ping_returns_within_its_timeout() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    server.ping(Duration::from_secs(5)).unwrap();
    running.freeze();
    assert!(server.ping(Duration::ZERO).unwrap_err().is_outage());
    for _ in 0..2 {
        let began = Instant::now();
        assert!(matches!(server.ping(Duration::from_millis(100)).unwrap_err().cause, Cause::TimedOut { .. }));
        assert!(began.elapsed() < Duration::from_millis(100) + SLACK);
    }
    running.thaw();
    server.ping(Duration::MAX).unwrap();
}

#[test]
fn a_restart_between_two_operations_goes_unnoticed() {
    let Some(mut running) = Running::start(&[]) else { return };
    let servers = both_ways(&running);
    for _ in 0..2 {
        for server in &servers {
            assert!(server.set(b"key", b"value", PLAIN).unwrap());
        }
        running.kill();
        running.restart();
        for server in &servers {
            // No command is sent on a connection that is known to be dead, so even one that is not idempotent succeeds.
            let [key, lease] = [&b"key"[..], b"lease"]
                .map(|name| [name, server.endpoint().addresses[0].to_string().as_bytes()].concat());
            assert!(server.acquire(&lease, &Token::new(), Duration::from_secs(100)).unwrap());
            assert_eq!(server.get(&key).unwrap(), None);
        }
    }
    for server in &servers {
        assert_eq!((server.health().failures, server.health().connections), (0, 3));
    }
}

#[test]
fn a_server_that_dies_during_operations_is_found_again() {
    let Some(mut running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = |thread: u32| {
            let mut last = Ok(());
            for number in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) && last.is_ok() {
                    break;
                }
                let key = [thread.to_le_bytes(), u32::to_le_bytes(number % 10)].concat();
                let value = [&key[..], &number.to_le_bytes()].concat();
                last = server.set(&key, &value, PLAIN).and_then(|_| server.get(&key)).map(|found| {
                    // The server may have died in between and lost the value, but it never returns another one.
                    assert!(found.is_none_or(|found| found == value));
                });
                if let Err(failure) = &last {
                    assert!(failure.is_outage(), "{failure}");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        };
        let workers: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(50));
            running.kill();
            eventually("it is missed", || server.health().skipping.is_some());
            running.restart();
            eventually("it is found again", || server.health().skipping.is_none());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let health = server.health();
    assert!(health.failures >= 3 && health.reconnects >= 3, "{health:?}");
}

#[test]
fn a_full_server_refuses_to_store_and_still_answers() {
    let Some(running) = Running::start(&["--maxmemory", "2mb", "--maxmemory-policy", "noeviction"]) else { return };
    let server = connect(&running.url());
    let value = vec![7; 100_000];
    let full = (0..1000u32).find_map(|number| server.set(&number.to_le_bytes(), &value, PLAIN).err()).unwrap();
    assert!(
        matches!(&full.cause, Cause::Refused { code, text } if code == "OOM" && text.starts_with("OOM ")),
        "{full}"
    );
    assert!(!full.is_outage());
    let failure = server.set_many(&[(b"a", &value), (b"b", &value)], PLAIN).1.unwrap();
    assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "OOM"), "{failure}");
    assert_eq!(server.get(&0u32.to_le_bytes()).unwrap().unwrap(), value);
    let health = server.health();
    assert_eq!((health.connections, health.failures, health.refusals, health.skipping), (1, 0, 2, None));
}

#[test]
fn a_replica_is_read_and_refuses_to_store() {
    let Some(primary) = Running::start(&["--repl-diskless-sync-delay", "0"]) else { return };
    let replica = Running::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]).unwrap();
    assert!(connect(&primary.url()).set(b"key", b"value", PLAIN).unwrap());
    let server = connect(&replica.url());
    eventually("the value arrives", || server.get(b"key").is_ok_and(|value| value == Some(b"value".into())));
    let failure = server.set(b"key", b"other", PLAIN).unwrap_err();
    assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "READONLY"), "{failure}");
    // A server that requires more replicas than it has refuses too.
    let _: () = primary.ask("CONFIG SET min-replicas-to-write 3");
    let failure = connect(&primary.url()).set(b"key", b"other", PLAIN).unwrap_err();
    assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "NOREPLICAS"), "{failure}");
}
