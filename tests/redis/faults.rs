//! Answers that are truncated, late, slow or nonsense: each operation returns the right value or a failure, in time.

use std::time::{Duration, Instant};

use phicache::redis::{Backoff, Cause, Endpoint, Failure, Server, Store, Token};

use super::proxy::{Proxy, answering};
use super::server::{Running, connect, endpoint, eventually, impatient, rounds, seed, soon};

const PLAIN: Store = Store { ttl: None, only_new: false };
const SLACK: Duration = Duration::from_secs(20);

/// A server with a value under "key", behind a proxy.
fn spoiled() -> Option<(Running, Proxy)> {
    let running = Running::start(&[])?;
    connect(&running.url()).set(b"key", b"value", PLAIN).unwrap();
    let proxy = Proxy::before(&running);
    Some((running, proxy))
}

/// Once the proxy spoils nothing, values are right again. (On a busy machine, a short timeout may fail some tries.)
fn recovers(server: &Server) {
    let value = Some(b"value".to_vec());
    let is_right = |found: Result<bool, Failure>| match found {
        Ok(right) => right || panic!("another value"),
        Err(failure) => !failure.is_outage() && panic!("{failure}"),
    };
    for _ in 0..10 {
        eventually("it finds", || is_right(server.get(b"key").map(|found| found == value)));
        eventually("it finds several", || {
            let batch = server.get_many(&[b"none", b"key"]);
            is_right(batch.failure.map_or(Ok(batch.values == [None, value.clone()]), Err))
        });
        eventually("it misses", || is_right(server.get(b"none").map(|found| found.is_none())));
    }
}

#[test]
fn a_truncated_answer_is_an_error() {
    let Some((_running, mut proxy)) = spoiled() else { return };
    let server = connect(&proxy.url());
    let whole = b"$5\r\nvalue\r\n".len();
    for cut in 0..whole {
        proxy.set(&format!("cut {cut}"));
        eventually("it is asked", || match server.get(b"key") {
            Ok(value) => panic!("{value:?} after {cut} bytes"),
            Err(failure) => {
                assert!(failure.is_outage(), "{failure}");
                matches!(failure.cause, Cause::Lost(_))
            }
        });
        proxy.set("pass");
        recovers(&server);
    }
}

#[test]
fn an_answer_that_trickles_in_times_out() {
    let Some((_running, mut proxy)) = spoiled() else { return };
    let server = impatient(&proxy.url(), 200);
    server.ping(Duration::from_secs(5)).unwrap();
    connect(&proxy.url()).set(b"key", &[7; 10_000], PLAIN).unwrap();
    proxy.set("trickle 20");
    let began = Instant::now();
    let failure = server.get(b"key").unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(200) && began.elapsed() < Duration::from_millis(200) + SLACK);
    assert!(matches!(failure.cause, Cause::TimedOut { .. }), "{failure}");
    // An answer that is fast enough is read.
    proxy.set("trickle 1");
    let patient = connect(&proxy.url());
    assert_eq!(patient.get(b"none").unwrap(), None);
    proxy.set("pass");
    connect(&proxy.url()).set(b"key", b"value", PLAIN).unwrap();
    recovers(&server);
}

#[test]
fn a_login_that_trickles_in_times_out() {
    let Some(running) = Running::start(&["--requirepass", "secret"]) else { return };
    let mut proxy = Proxy::before(&running);
    proxy.set("trickle 100");
    let server = impatient(&proxy.url().replace("://", "://:secret@"), 150);
    let began = Instant::now();
    let failure = server.get(b"key").unwrap_err();
    assert!(matches!(failure.cause, Cause::TimedOut { during: "logging in", .. }), "{failure}");
    assert!(began.elapsed() < Duration::from_millis(150) + SLACK);
}

#[test]
fn a_late_answer_is_never_taken_for_another() {
    let Some((_running, mut proxy)) = spoiled() else { return };
    let server = impatient(&proxy.url(), 1000);
    for number in 0..4u32 {
        server.ping(Duration::from_secs(5)).unwrap();
        assert!(server.set(&number.to_le_bytes(), &number.to_be_bytes(), PLAIN).unwrap());
        proxy.set("delay 1500");
        assert!(matches!(server.get(&number.to_le_bytes()).unwrap_err().cause, Cause::TimedOut { .. }));
        proxy.set("pass");
        eventually("it is asked again", || match server.get(b"key") {
            Ok(value) => value.unwrap() == b"value",
            Err(_) => false,
        });
    }
    recovers(&server);
}

#[test]
fn an_answer_that_is_not_the_protocol_is_rejected() {
    let Some((_running, mut proxy)) = spoiled() else { return };
    let server = impatient(&proxy.url(), 100);
    let seed = seed() % 1_000_000;
    for round in 0..10 * u64::from(rounds()) {
        proxy.set(&format!("garbage {}", seed + round));
        let failure = server.ping(Duration::from_millis(100)).unwrap_err();
        assert!(failure.is_outage() && !failure.to_string().contains(char::is_control), "{failure}");
        assert!(matches!(failure.cause, Cause::Lost(_) | Cause::TimedOut { .. }), "{failure}");
    }
    proxy.set("pass");
    recovers(&server);
}

#[test]
fn bytes_after_an_answer_are_not_taken_for_the_next_one() {
    let Some((_running, mut proxy)) = spoiled() else { return };
    let server = connect(&proxy.url());
    for tail in ["$5\\r\\nwrong\\r\\n", "+OK\\r\\n", "x"] {
        proxy.set(&format!("tail {tail}"));
        for _ in 0..5 {
            assert_eq!(server.get(b"key").unwrap().unwrap(), b"value");
            assert_eq!(server.get_many(&[b"none", b"key"]).values, [None, Some(b"value".into())]);
        }
    }
    proxy.set("pass");
    recovers(&server);
    assert!(server.health().connections > 30);
}

#[test]
fn an_answer_to_another_command_is_rejected() {
    type Ask = fn(&Server) -> Option<Failure>;
    let get: Ask = |server| server.get(b"key").err();
    let many: Ask = |server| server.get_many(&[b"key", b"none"]).failure;
    let set: Ask = |server| server.set(b"key", b"value", PLAIN).err();
    let sets: Ask = |server| server.set_many(&[(b"key", b"value")], PLAIN).1;
    let exists: Ask = |server| server.exists(b"key").err();
    let count: Ask = |server| server.count_prefix(b"key", soon()).err();
    for (ask, answers) in [
        (get, &["+OK\r\n", ":1\r\n", "*1\r\n$1\r\nx\r\n", "*-1\r\n"][..]),
        (
            many,
            &["*1\r\n$1\r\nx\r\n", "*3\r\n$1\r\nx\r\n$-1\r\n$-1\r\n", "*2\r\n:1\r\n$-1\r\n", "$1\r\nx\r\n", "*-1\r\n"],
        ),
        (set, &["+QUEUED\r\n", ":1\r\n", "$2\r\nOK\r\n"]),
        (sets, &["+QUEUED\r\n", ":1\r\n"]),
        (exists, &["+OK\r\n", "$1\r\nx\r\n", "*0\r\n"]),
        (count, &["+OK\r\n", "*1\r\n$1\r\n0\r\n", "*2\r\n$1\r\nx\r\n*0\r\n"]),
    ] {
        for answer in answers {
            let server = connect(&format!("redis://127.0.0.1:{}", answering(answer)));
            let failure = ask(&server).unwrap_or_else(|| panic!("{answer:?} was believed"));
            assert!(matches!(failure.cause, Cause::Lost(_)), "{answer:?}: {failure}");
        }
    }
}

#[test]
fn a_command_that_is_not_idempotent_is_sent_once() {
    let Some((running, mut proxy)) = spoiled() else { return };
    let server = connect(&proxy.url());
    let (token, long) = (Token::new(), Duration::from_secs(100));
    let lose_one = |proxy: &mut Proxy| {
        eventually("there is a connection", || server.ping(Duration::from_secs(5)).is_ok());
        proxy.set("once cut 0");
    };
    // The client cannot know whether the server did it before the connection broke. Idempotent commands are repeated.
    lose_one(&mut proxy);
    assert_eq!(server.get(b"key").unwrap().unwrap(), b"value");
    lose_one(&mut proxy);
    assert!(server.set(b"key", b"value", PLAIN).unwrap());
    lose_one(&mut proxy);
    assert!(server.acquire(b"lease", &token, long).is_err());
    assert_eq!(running.calls("set"), 2 + 2);
    lose_one(&mut proxy);
    assert!(server.complete(b"lease", &token, b"key", b"value", None).is_err());
    lose_one(&mut proxy);
    assert!(server.release(b"lease", &token).is_err());
    lose_one(&mut proxy);
    assert!(server.remove(b"none").is_err());
    assert_eq!((running.calls("eval"), running.calls("unlink")), (2, 1 + 1));
    recovers(&server);
}

#[test]
fn connections_that_are_dropped_while_idle_are_replaced() {
    let Some((_running, mut proxy)) = spoiled() else { return };
    let server = connect(&proxy.url());
    for _ in 0..20 {
        assert_eq!(server.get(b"key").unwrap().unwrap(), b"value");
        proxy.set("drop");
    }
    assert_eq!(server.health().failures, 0);
    proxy.set("refuse");
    proxy.set("drop");
    assert!(server.get(b"key").unwrap_err().is_outage());
    proxy.set("pass");
    recovers(&server);
}

#[test]
fn under_random_faults_values_are_right_and_no_wait_exceeds_its_timeout() {
    let Some((running, mut proxy)) = spoiled() else { return };
    let timeout = Duration::from_millis(100);
    // With early retries, so that most operations are not skipped.
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(5) };
    let server = Server::new(Endpoint { timeout, backoff, ..endpoint(&proxy.url()) }).unwrap();
    let seed = seed() % 1_000_000;
    proxy.set(&format!("random {seed}"));
    let (mut right, mut failed) = (0, 0);
    std::thread::scope(|scope| {
        let work = |thread: u32| {
            let (mut right, mut failed) = (0, 0);
            for number in 0..400 * rounds() {
                let key = [thread.to_le_bytes(), (number % 20).to_le_bytes()].concat();
                let value = [&key[..], b"value"].concat().repeat(1 + number as usize % 300);
                let began = Instant::now();
                let outcome = match number % 3 {
                    0 => server.set(&key, &value, PLAIN).map(drop),
                    1 => server.get(&key).map(|found| assert!(is_one_of(found, &key))),
                    _ => {
                        let batch = server.get_many(&[&key, b"none", b"key"]);
                        match batch.failure {
                            Some(failure) => Err(failure),
                            None => {
                                assert!(is_one_of(batch.values[0].clone(), &key));
                                assert_eq!(batch.values[1..], [None, Some(b"value".into())]);
                                Ok(())
                            }
                        }
                    }
                };
                assert!(began.elapsed() < timeout + SLACK, "{:?}", began.elapsed());
                match outcome {
                    Ok(()) => right += 1,
                    Err(failure) => {
                        assert!(failure.is_outage() || failure.to_string().contains("refused"), "{failure}");
                        failed += 1;
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            }
            (right, failed)
        };
        let workers: Vec<_> = (0..3).map(|thread| scope.spawn(move || work(thread))).collect();
        for worker in workers {
            let (of_one, failed_of_one) = worker.join().unwrap();
            right += of_one;
            failed += failed_of_one;
        }
    });
    println!("{right} right, {failed} failed, {:?}", server.health());
    assert!(right > 0 && failed > 20);
    proxy.set("pass");
    recovers(&server);
    drop(running);
}

/// Whether it is no value or one of this key.
fn is_one_of(found: Option<Vec<u8>>, key: &[u8]) -> bool {
    let unit = [key, b"value"].concat();
    found.is_none_or(|found| found.len() % unit.len() == 0 && found.chunks(unit.len()).all(|part| part == unit))
}
