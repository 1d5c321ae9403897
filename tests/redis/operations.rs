//! The operations at a healthy server.

use std::time::Duration;

use phicache::redis::{Endpoint, Keyspace, LONGEST_VALUE, Server, Store, Token};

use super::server::{Running, both_ways, connect, eventually, rounds, soon};

const PLAIN: Store = Store { ttl: None, only_new: false };

fn get(server: &Server, key: &[u8]) -> Option<Vec<u8>> {
    server.get(key).unwrap()
}

fn set(server: &Server, key: &[u8], value: &[u8]) {
    assert!(server.set(key, value, PLAIN).unwrap());
}

#[test]
fn any_bytes_are_returned_as_they_were_stored() {
    let Some(running) = Running::start(&[]) else { return };
    let all: Vec<u8> = (0..=255).collect();
    for server in both_ways(&running) {
        for (key, value) in [(&all[..], &b""[..]), (b"", &all), (b"\r\n$-1\r\n", b"\r\n"), (b"nan", b"\0")] {
            assert!(!server.exists(key).unwrap());
            assert_eq!(get(&server, key), None);
            set(&server, key, value);
            assert_eq!(get(&server, key).as_deref(), Some(value));
            assert!(server.exists(key).unwrap());
            assert!(server.remove(key).unwrap());
            assert!(!server.remove(key).unwrap());
        }
        // One after the other, they use one connection.
        assert_eq!(server.health().connections, 1);
        assert_eq!((server.health().failures, server.health().last_error), (0, None));
    }
}

#[test]
fn values_are_of_any_size_up_to_512_mb() {
    let Some(running) = Running::start(&[]) else { return };
    let largest = if rounds() > 1 { LONGEST_VALUE } else { 48 << 20 };
    for (server, largest) in both_ways(&running).into_iter().zip([1 << 20, largest]) {
        // This many bytes take a while on a busy machine.
        let endpoint = Endpoint { timeout: Duration::from_secs(300), ..server.endpoint().clone() };
        let server = &Server::new(endpoint).unwrap();
        for len in [65_527, 65_528, 65_536, 100_000, largest] {
            let value: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
            set(server, b"large", &value);
            assert!(get(server, b"large").unwrap() == value, "{len} bytes");
        }
        let failure = server.set(b"large", &vec![0; LONGEST_VALUE + 1], PLAIN).unwrap_err();
        assert!(failure.to_string().contains("536870913 bytes"), "{failure}");
        assert!(!failure.is_outage());
        assert_eq!(server.health().connections, 1);
    }
}

#[test]
fn a_time_to_live_ends_and_only_new_stores_absent_keys() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let short = Store { ttl: Some(Duration::from_millis(30)), only_new: false };
    assert!(server.set(b"short", b"1", short).unwrap());
    let new = Store { ttl: Some(Duration::from_secs(100)), only_new: true };
    assert!(server.set(b"new", b"1", new).unwrap());
    assert!(!server.set(b"new", b"2", new).unwrap());
    assert_eq!(get(&server, b"new").unwrap(), b"1");
    let left: i64 = running.ask("PTTL new");
    assert!((1..=100_000).contains(&left), "{left}");
    assert!(server.set(b"plain", b"1", Store { only_new: true, ..PLAIN }).unwrap());
    assert_eq!(running.ask::<i64>("PTTL plain"), -1);
    eventually("it is forgotten", || get(&server, b"short").is_none());
}

#[test]
fn many_keys_take_one_round_trip() {
    let Some(running) = Running::start(&[]) else { return };
    for server in both_ways(&running) {
        let _: () = running.ask("FLUSHALL");
        let keys: Vec<Vec<u8>> = (0..2500u32).map(|number| number.to_le_bytes().into()).collect();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let pairs: Vec<(&[u8], &[u8])> = keys.iter().skip(1).map(|&key| (key, key)).collect();
        let _: () = running.ask("CONFIG RESETSTAT");
        assert!(server.set_many(&pairs, PLAIN).1.is_none());
        assert_eq!((running.calls("mset"), running.calls("set")), (3, 0));
        let _: () = running.ask("CONFIG RESETSTAT");
        let batch = server.get_many(&keys);
        assert!(batch.failure.is_none());
        assert_eq!(batch.values[0], None);
        assert!(batch.values[1..].iter().zip(&keys[1..]).all(|(value, key)| value.as_deref() == Some(key)));
        // At most a thousand keys in a command, so that the server serves other clients in between.
        assert_eq!((running.calls("mget"), running.calls("get")), (3, 0));
        assert!(server.get_many(&[]).values.is_empty());
        assert!(server.set_many(&[], PLAIN).1.is_none());
        assert_eq!(server.health().connections, 1);
    }
}

#[test]
fn a_batch_does_what_it_can_and_says_why_the_rest_failed() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let _: () = running.ask("RPUSH list a");
    set(&server, b"a", b"1");
    let batch = server.get_many(&[b"a", b"list", b"none"]);
    assert_eq!(batch.values, [Some(b"1".into()), None, None]);
    assert!(batch.failure.is_none());

    let large = vec![0; 3 << 20];
    let store = Store { ttl: Some(Duration::from_secs(50)), only_new: false };
    assert!(server.set_many(&[(b"a", b"2"), (b"b", &large), (b"c", b"3")], store).1.is_none());
    assert_eq!((get(&server, b"a").unwrap(), get(&server, b"c").unwrap()), (b"2".into(), b"3".into()));
    assert_eq!(get(&server, b"b").unwrap(), large);
    assert!(running.ask::<i64>("PTTL c") > 0);
    // A user with access to some keys writes those, before and after a forbidden one.
    let _: () = running.ask("ACL SETUSER half on nopass ~a ~c +@all");
    let half = connect(&running.url().replace("://", "://half:x@"));
    let (stored, failure) = half.set_many(&[(b"a", b"4"), (b"b", b"4"), (b"c", b"4")], store);
    assert_eq!(stored, [true, false, true]);
    let failure = failure.unwrap();
    assert!(failure.to_string().contains("NOPERM") && !failure.is_outage(), "{failure}");
    assert_eq!((get(&server, b"a").unwrap(), get(&server, b"c").unwrap()), (b"4".into(), b"4".into()));
    assert_eq!(get(&server, b"b").unwrap(), large);
    // Values without a time to live are sent in one command, which succeeds or fails as a whole.
    let (stored, failure) = half.set_many(&[(b"a", b"5"), (b"b", b"5"), (b"c", b"5")], PLAIN);
    assert!(stored == [false; 3] && failure.is_some());
    assert_eq!((get(&server, b"a").unwrap(), get(&server, b"c").unwrap()), (b"4".into(), b"4".into()));
    assert_eq!(half.health().connections, 1);
}

#[test]
fn a_prefix_is_counted_and_removed_and_nothing_else() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let prefixes: [&[u8]; 5] = [b"lab:", b"l*b:", b"[lab]?:\\", b"lab\0\xff\r\n:", b"la"];
    for (number, prefix) in prefixes.iter().enumerate() {
        let keys: Vec<Vec<u8>> = (0..1000 + number).map(|n| [prefix, &n.to_le_bytes()[..]].concat()).collect();
        let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (key.as_slice(), &b"x"[..])).collect();
        assert!(server.set_many(&pairs, PLAIN).1.is_none());
    }
    set(&server, b"other", b"x");
    let _: () = running.ask("RPUSH lab:list a");
    for (number, prefix) in prefixes.iter().enumerate().take(4) {
        let expected = 1000 + number as u64 + u64::from(number == 0);
        assert_eq!(server.count_prefix(prefix, soon()).unwrap(), expected);
        assert_eq!(server.remove_prefix(prefix, soon()).unwrap(), expected);
        assert_eq!(server.count_prefix(prefix, soon()).unwrap(), 0);
    }
    assert_eq!(server.remove_prefix(b"la", soon()).unwrap(), 1004);
    assert_eq!(server.database_size().unwrap(), 1);
    assert_eq!(get(&server, b"other").unwrap(), b"x");
    assert_eq!((running.calls("keys"), running.calls("del"), running.calls("flushdb")), (0, 0, 0));
}

#[test]
fn a_lease_has_one_holder_and_a_late_one_overwrites_nothing() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let (first, second) = (Token::new(), Token::new());
    let (long, short) = (Duration::from_secs(100), Duration::from_millis(30));

    assert!(server.acquire(b"lease", &first, long).unwrap());
    assert!(!server.acquire(b"lease", &second, long).unwrap());
    assert!(!server.release(b"lease", &second).unwrap());
    assert!(!server.complete(b"lease", &second, b"key", b"wrong", None).unwrap());
    assert_eq!(get(&server, b"key"), None);
    assert!(server.complete(b"lease", &first, b"key", b"right", None).unwrap());
    assert_eq!(get(&server, b"key").unwrap(), b"right");
    assert!(!server.exists(b"lease").unwrap());
    assert!(!server.release(b"lease", &first).unwrap());

    // The first holder takes too long; the second one gets the lease, and what the first brings is not taken.
    assert!(server.acquire(b"lease", &first, short).unwrap());
    eventually("the lease ends", || server.acquire(b"lease", &second, long).unwrap());
    assert!(!server.complete(b"lease", &first, b"key", b"late", None).unwrap());
    assert_eq!(get(&server, b"key").unwrap(), b"right");
    assert!(server.complete(b"lease", &second, b"key", b"\0\xff", Some(Duration::from_secs(50))).unwrap());
    assert_eq!(get(&server, b"key").unwrap(), b"\0\xff");
    assert!(running.ask::<i64>("PTTL key") > 0);
}

#[test]
fn the_whole_database_can_be_emptied_and_asked() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let other = connect(&format!("{}/3", running.url()));
    set(&server, b"a", b"1");
    set(&other, b"b", b"1");
    assert_eq!((get(&server, b"b"), get(&other, b"a")), (None, None));
    server.reset_statistics().unwrap();
    assert_eq!(server.statistics().unwrap(), Keyspace::default());
    for key in [&b"a"[..], b"a", b"none"] {
        server.get(key).unwrap();
    }
    assert_eq!(server.statistics().unwrap(), Keyspace { hits: 2, misses: 1 });
    assert_eq!((server.database_size().unwrap(), other.database_size().unwrap()), (1, 1));
    server.flush_database().unwrap();
    assert_eq!((server.database_size().unwrap(), other.database_size().unwrap()), (0, 1));
}

#[test]
fn threads_share_a_server_and_each_gets_its_own_answers() {
    let Some(running) = Running::start(&[]) else { return };
    for server in both_ways(&running) {
        std::thread::scope(|scope| {
            for thread in 0..8u32 {
                let server = &server;
                scope.spawn(move || {
                    for number in 0..300u32 * rounds() {
                        let key = [thread.to_le_bytes(), (number % 50).to_le_bytes()].concat();
                        let value = [&key[..], &number.to_le_bytes()].concat().repeat(1 + number as usize % 40);
                        set(server, &key, &value);
                        assert_eq!(get(server, &key).unwrap(), value);
                        assert_eq!(server.get_many(&[&key, b"none"]).values, [Some(value), None]);
                    }
                });
            }
        });
        assert!((1..=8).contains(&server.health().connections));
        assert_eq!(server.health().failures, 0);
    }
}

#[test]
fn a_value_is_read_into_the_sink_of_the_caller() {
    use phicache::error::{Error, Result};
    struct Refusing(usize);
    impl phicache::redis::ValueSink for Refusing {
        fn room(&mut self, len: usize) -> Result<&mut [u8]> {
            self.0 = len;
            Err(Error::OutOfMemory(len))
        }
    }
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    set(&server, b"key", &[7; 1000]);
    let mut sink = vec![1, 2, 3];
    assert!(server.get_into(b"key", &mut sink).unwrap());
    assert_eq!(sink, [7; 1000]);
    let mut refusing = Refusing(0);
    let failure = server.get_into(b"key", &mut refusing).unwrap_err();
    assert_eq!((Error::from(failure), refusing.0), (Error::OutOfMemory(1000), 1000));
    // It is not the server's failure: the next operation is not skipped, and it reads its own answer.
    assert!(!server.get_into(b"none", &mut refusing).unwrap());
    assert_eq!(server.health().failures, 0);
}

#[test]
fn a_name_is_resolved_and_each_of_its_addresses_tried() {
    // The server listens at one of localhost's addresses.
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&format!("redis://localhost:{}", running.port));
    server.ping(Duration::from_secs(5)).unwrap();
}
