//! Caches in Redis with real servers: the commands and their number, the names of keys, and the namespaces. Failing
//! servers are in tests/redis_server.rs and tests/redis_cache_faults.rs.
#![cfg(feature = "redis")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use phicache::cache::{
    Cache, Cost, Judge, Lease, Options, Origin, RedisCache, Refusal, RemoteOptions, Verifier, Waited, Walk,
};
use phicache::config::Config;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;
use server::Running;

#[allow(dead_code)]
#[path = "redis/server.rs"]
mod server;

/// A configuration for this server, with timeouts for a loaded machine.
fn config(server: &Running) -> Arc<Config> {
    let config = Config::new().unwrap();
    config.set_redis_url(&format!("unix://{}?timeout_ms=10000", server.socket().display())).unwrap();
    config
}

fn plain(config: &Arc<Config>) -> Cache {
    RedisCache::redis(config.clone(), Options::default(), None).unwrap().into()
}

fn with(config: &Arc<Config>, remote: RemoteOptions) -> Cache {
    RedisCache::redis(config.clone(), Options { remote, ..Options::default() }, None).unwrap().into()
}

fn system() -> Subsystem {
    Subsystem::new(&Fingerprint([1; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap()
}

/// Severs 0 -> 1 and 0 -> 2.
fn cut() -> Subsystem {
    system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap()
}

fn mice(config: &Arc<Config>, subsystem: &Subsystem, parent: Option<&TryArc<RedisCache>>) -> TryArc<RedisCache> {
    RedisCache::mice(config.clone(), Options::default(), subsystem, parent).unwrap()
}

fn record(mechanism: u64, purview: u64) -> Mice<'static> {
    let (mechanism, purview) = (NodeSet(mechanism), NodeSet(purview));
    Mice { direction: Direction::Effect, mechanism, purview, phi: 0.5, payload: b"payload" }
}

fn key(mechanism: u64) -> Vec<u8> {
    let mut buffer = [0; 64];
    let len = phicache::key::mice(&mut buffer, None, Direction::Effect as u8, mechanism, None).unwrap();
    buffer[..len].to_vec()
}

/// The effects of node 1 on 2, which no cut here damages, and of node 0 on 1, which `cut` does.
fn fill(cache: &RedisCache) {
    cache.set_mice(&key(2), &record(2, 4)).unwrap().unwrap();
    cache.set_mice(&key(1), &record(1, 2)).unwrap().unwrap();
}

fn origin(cache: &RedisCache, key: &[u8]) -> Option<Origin> {
    cache.get(key).unwrap().map(|value| value.origin)
}

fn figures(cache: &Cache) -> (u64, u64, u64) {
    let info = cache.info().unwrap();
    (info.hits, info.misses, info.size)
}

/// The number of these commands that the server executes during `act`.
fn calls(server: &Running, command: &str, act: impl FnOnce()) -> u64 {
    let before = server.calls(command);
    act();
    server.calls(command) - before
}

/// Stores a batch; returns for each key what `set` would.
fn set_many(cache: &Cache, pairs: &[(&[u8], &[u8])]) -> Vec<phicache::error::Result<phicache::cache::Stored>> {
    let mut answers = Vec::new();
    cache.set_many(pairs.iter().copied(), |answer| answers.push(answer)).unwrap();
    answers
}

#[test]
fn two_caches_of_a_namespace_share_their_values_and_see_no_others() {
    let Some(server) = Running::start(&[]) else { return };
    let (here, there) = (config(&server), config(&server));
    let (one, two) = (plain(&here), plain(&there));
    assert!(one.get(b"k\0").unwrap().is_none());
    assert_eq!(two.set(b"k\0", b"").unwrap(), Ok(()));
    let value = one.get(b"k\0").unwrap().unwrap();
    assert_eq!((value.entry.value(), value.origin), (&b""[..], Origin::Hit));
    assert!(one.contains(b"k\0").unwrap() && !one.contains(b"other").unwrap());
    assert_eq!((figures(&one), figures(&two)), ((1, 1, 1), (0, 0, 1)));
    assert_eq!(server.ask::<Vec<String>>("KEYS *"), ["phicache/2:raw:k%00"]);

    // Keys of other programs: a longer namespace, a similar key, a binary key.
    for theirs in ["phicache2/2:raw:k", "phicache/3:raw:k", "\u{1}\u{2}"] {
        server.ask::<()>(&format!("SET {theirs} v"));
    }
    one.clear().unwrap();
    assert_eq!((figures(&one), figures(&two)), ((0, 0, 0), (0, 0, 0)));
    assert_eq!(server.ask::<u64>("DBSIZE"), 3);
    there.set_redis_namespace("lab").unwrap();
    let lab = plain(&there);
    lab.set(b"k", b"lab").unwrap().unwrap();
    assert!(one.get(b"k").unwrap().is_none());
    assert!(lab.remove(b"k").unwrap() && !lab.remove(b"k").unwrap());
}

#[test]
fn a_peek_asks_near_and_at_the_server_and_counts_nothing() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let cache = plain(&config);
    cache.set(b"k", b"v").unwrap().unwrap();
    assert_eq!(cache.peek(b"k").unwrap().unwrap().entry.value(), b"v");
    assert!(cache.peek(b"other").unwrap().is_none());
    assert_eq!(figures(&cache), (0, 0, 1));
    assert!(Walk::new(cache).is_err());
    // A MICE that is near is not asked for again.
    let parent = mice(&config, &system(), None);
    fill(&parent);
    let child: Cache = mice(&config, &cut(), Some(&parent)).into();
    let asked = calls(&server, "get", || {
        assert_eq!(child.peek(&key(2)).unwrap().map(|value| value.origin), Some(Origin::Parent));
        assert!(child.peek(&key(1)).unwrap().is_none());
    });
    assert_eq!((asked, figures(&child)), (0, (0, 0, 1)));
}

#[test]
fn a_value_expires_after_its_time_to_live() {
    let Some(server) = Running::start(&[]) else { return };
    let fill = |ttl| {
        let cache = with(&config(&server), RemoteOptions { ttl: Some(ttl), ..RemoteOptions::default() });
        cache.set(b"k", b"v").unwrap().unwrap();
        assert_eq!(set_many(&cache, &[(b"a", b"1"), (b"b", b"2")]), [Ok(Ok(())), Ok(Ok(()))]);
        cache.memoize(b"computed", |draft| draft.write(b"v")).unwrap();
        cache
    };
    let cache = fill(Duration::from_secs(1000));
    assert_eq!(cache.size().unwrap(), 4);
    for name in server.ask::<Vec<String>>("KEYS *") {
        let left: i64 = server.ask(&format!("PTTL {name}"));
        assert!((1..=1_000_000).contains(&left), "{name}: {left}");
    }
    cache.clear().unwrap();
    let cache = fill(Duration::from_millis(500));
    server::eventually("all are forgotten", || cache.size().unwrap() == 0);
}

#[test]
fn batches_are_one_round_trip() {
    let Some(server) = Running::start(&[]) else { return };
    let cache = plain(&config(&server));
    let keys: Vec<Vec<u8>> = (0..100u32).map(|number| number.to_le_bytes().to_vec()).collect();
    let pairs: Vec<(&[u8], &[u8])> = keys.iter().step_by(2).map(|key| (key.as_slice(), key.as_slice())).collect();
    assert_eq!(set_many(&cache, &pairs), vec![Ok(Ok(())); 50]);
    let mut found = Vec::new();
    let mut look = || {
        cache.get_many(keys.iter().map(Vec::as_slice), |at, value| {
            assert_eq!(value.entry.value(), keys[at]);
            found.push(at);
        })
    };
    assert_eq!(calls(&server, "mget", || look().unwrap()), 1);
    assert_eq!(found, (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!(figures(&cache), (50, 50, 50));
    assert_eq!(cache.stats().unwrap().stores, 50);
}

#[test]
fn threads_that_miss_one_key_ask_once_and_compute_once() {
    let Some(server) = Running::start(&[]) else { return };
    let (cache, computed) = (plain(&config(&server)), AtomicU32::new(0));
    let (cache, computed) = (&cache, &computed);
    let ask = || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(move || {
                    let value = cache.memoize(b"k", |draft| {
                        computed.fetch_add(1, SeqCst);
                        // All other threads begin meanwhile.
                        server::eventually("all wait", || cache.stats().unwrap().info.misses == 1);
                        std::thread::sleep(Duration::from_millis(50));
                        draft.write(b"v")
                    });
                    assert_eq!(value.unwrap().entry.value(), b"v");
                });
            }
        });
    };
    // Threads that begin after the value was stored ask the server themselves.
    assert!(calls(&server, "get", ask) <= 8);
    assert_eq!((computed.load(SeqCst), server.calls("set")), (1, 1));
    let stats = cache.stats().unwrap();
    assert_eq!((stats.info.misses, stats.info.hits, stats.stores), (1, 7, 1));
}

#[test]
fn one_record_is_fetched_once_and_its_damage_is_remembered() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    fill(&mice(&config, &system(), None));

    // Another process.
    let parent = mice(&config, &system(), None);
    let (child, other) = (mice(&config, &cut(), Some(&parent)), mice(&config, &cut(), Some(&parent)));
    assert_eq!(calls(&server, "get", || assert_eq!(origin(&child, &key(2)), Some(Origin::Parent))), 1);
    assert_eq!(calls(&server, "get", || assert_eq!(origin(&child, &key(1)), None)), 1);
    let again = || {
        for _ in 0..10 {
            assert_eq!(origin(&child, &key(2)), Some(Origin::Parent));
            assert_eq!(origin(&child, &key(1)), None);
            assert_eq!(origin(&other, &key(2)), Some(Origin::Parent));
            assert_eq!(origin(&parent, &key(1)), Some(Origin::Hit));
        }
    };
    assert_eq!(calls(&server, "get", again), 0);
    // An absent key may be stored later: each lookup requests it again, once.
    assert_eq!(calls(&server, "get", || assert_eq!(origin(&child, &key(4)), None)), 1);
    assert_eq!(child.stats().unwrap().info.hits, 11);
    assert_eq!((child.size().unwrap(), parent.size().unwrap()), (1, 2));

    // The same in batches.
    let (parent, keys) = (mice(&config, &system(), None), [key(1), key(2), key(4)]);
    let child = mice(&config, &cut(), Some(&parent));
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let found = |cache: &RedisCache| {
        let mut found = [false; 3];
        cache.get_many(&keys, |at, _| found[at] = true).unwrap();
        found
    };
    let commands = calls(&server, "mget", || {
        assert_eq!(found(&child), [false, true, false]);
        assert_eq!(found(&parent), [true, true, false]);
    });
    assert_eq!(commands, 2);
    assert_eq!(calls(&server, "get", || assert_eq!(origin(&child, &key(2)), Some(Origin::Parent))), 0);
}

#[test]
fn mice_keys_are_text_and_those_of_a_system_share_a_prefix() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let cache = mice(&config, &system(), None);
    fill(&cache);
    let fingerprint: String = system().fingerprint().0.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut keys = server.ask::<Vec<String>>("KEYS *");
    keys.sort();
    let name = |mechanism| format!("phicache/2:{{{fingerprint}}}:-:effect:{mechanism}:*");
    assert_eq!(keys, [name(0), name(1)]);

    // Another system, another role and an unshared cache have other keys.
    let elsewhere = Subsystem::new(&Fingerprint([1; 32]), &[0, 0, 0], NodeSet(7), None, None).unwrap();
    let elsewhere = mice(&config, &elsewhere, None);
    let role = RedisCache::redis(config.clone(), Options::default(), Some((system().fingerprint(), "distances")));
    let (role, anything) = (Cache::from(role.unwrap()), plain(&config));
    assert_eq!(origin(&elsewhere, &key(2)), None);
    role.set(b"k", b"v").unwrap().unwrap();
    anything.set(b"k", b"w").unwrap().unwrap();
    assert_eq!((cache.size().unwrap(), elsewhere.size().unwrap(), role.size().unwrap()), (2, 0, 1));
    assert_eq!(anything.size().unwrap(), 4);
    cache.clear().unwrap();
    assert_eq!((cache.size().unwrap(), role.size().unwrap(), anything.size().unwrap()), (0, 1, 2));
    role.clear().unwrap();
    assert_eq!(anything.get(b"k").unwrap().unwrap().entry.value(), b"w");
}

#[test]
fn only_the_cut_refuses_and_a_clear_removes_for_all() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    config.set_maximum_memory(0.0).unwrap();
    let parent = mice(&config, &system(), None);
    let child = mice(&config, &cut(), Some(&parent));
    assert_eq!(child.set_mice(b"k", &record(2, 4)).unwrap(), Err(Refusal::Cut));
    assert_eq!((child.would_store(), parent.would_store()), (Err(Refusal::Cut), Ok(())));
    let zero = Mice { phi: 0.0, ..record(2, 4) };
    assert_eq!(parent.set_mice(b"zero", &zero).unwrap(), Ok(()));
    assert_eq!(origin(&child, b"zero"), Some(Origin::Parent));
    assert!(!child.remove(b"zero").unwrap());
    child.clear().unwrap();
    assert_eq!((origin(&child, b"zero"), child.size().unwrap()), (None, 0));
    let child = mice(&config, &cut(), Some(&parent));
    assert_eq!(origin(&child, b"zero"), Some(Origin::Parent));
    parent.clear().unwrap();
    assert_eq!((origin(&child, b"zero"), origin(&parent, b"zero")), (None, None));
    assert!(RedisCache::mice(config.clone(), Options::default(), &cut(), Some(&child)).is_err());
}

#[test]
fn a_record_of_another_key_is_a_counted_miss() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let (cache, everything) = (mice(&config, &system(), None), plain(&config));
    fill(&cache);
    let names = server.ask::<Vec<String>>("KEYS *");
    assert_eq!(names.len(), 2);
    // Each record under the other's name: intact, but of another key.
    server.ask::<()>(&format!("RENAME {} between", names[0]));
    server.ask::<()>(&format!("RENAME {} {}", names[1], names[0]));
    server.ask::<()>(&format!("RENAME between {}", names[1]));
    let other = mice(&config, &system(), None);
    assert_eq!((origin(&other, &key(1)), origin(&other, &key(2))), (None, None));
    assert_eq!(other.stats().unwrap().damaged, 2);
    for damage in [
        "APPEND NAME x",
        "SETRANGE NAME 34 x",
        "SETRANGE NAME 40 y",
        "SETRANGE NAME 64 P",
        "SET NAME z",
        "SETRANGE NAME 7 \u{2}",
    ] {
        fill(&cache);
        names.iter().for_each(|name| server.ask::<()>(&damage.replace("NAME", name)));
        let other = mice(&config, &system(), None);
        assert_eq!((origin(&other, &key(1)), other.stats().unwrap().damaged), (None, 1), "{damage}");
        // It is computed and stored anew.
        let bytes = || {
            let mut bytes = vec![0; record(1, 2).record_len()];
            record(1, 2).write(&mut bytes);
            bytes
        };
        let value = Cache::from(other.clone()).memoize(&key(1), |draft| draft.write(&bytes())).unwrap();
        assert_eq!(value.origin, Origin::Computed);
        assert_eq!(origin(&mice(&config, &system(), None), &key(1)), Some(Origin::Hit), "{damage}");
    }
    assert!(everything.size().unwrap() == 2);
}

/// Whether each kind of lookup finds a value of the key.
fn found_by_every_lookup(cache: &Cache, key: &[u8]) -> [bool; 5] {
    let mut many = false;
    cache.get_many([key].into_iter(), |_, _| many = true).unwrap();
    let waited = Lease::wait(cache, key, 1, Duration::ZERO).unwrap();
    [
        cache.get(key).unwrap().is_some(),
        cache.get_into(key, &mut [0; 512]).unwrap().is_some(),
        many,
        matches!(waited, Waited::Value(_)),
        cache.memoize(key, |draft| draft.write(b"computed")).unwrap().origin == Origin::Hit,
    ]
}

#[test]
fn a_value_of_another_key_is_a_counted_miss_in_every_kind_of_lookup() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let long = [b'k'; 65];
    for (key, other) in [(&b"key"[..], &b"other"[..]), (&long, &[b'l'; 65])] {
        for damage in [
            "SET HERE by-another-program",
            "SET HERE s",
            "APPEND HERE x",
            "SETRANGE HERE 0 w",
            "SETRANGE HERE 1 y",
            "SETRANGE HERE 8 y",
            "RENAME THERE HERE",
        ] {
            let cache = plain(&config);
            cache.clear().unwrap();
            cache.set(key, b"value").unwrap().unwrap();
            assert_eq!(found_by_every_lookup(&cache, key), [true; 5]);
            let name = server.ask::<Vec<String>>("KEYS *").remove(0);
            cache.set(other, b"value").unwrap().unwrap();
            let named = server.ask::<Vec<String>>("KEYS *").into_iter().find(|other| *other != name).unwrap();
            server.ask::<resp::Value>(&damage.replace("THERE", &named).replace("HERE", &name));
            let before = cache.stats().unwrap();
            assert_eq!(found_by_every_lookup(&cache, key), [false; 5], "{damage}");
            let stats = cache.stats().unwrap();
            assert_eq!((stats.damaged, stats.info.hits), (5, before.info.hits), "{damage}");
            // The computed value replaced it.
            assert_eq!(cache.get(key).unwrap().unwrap().entry.value(), b"computed", "{damage}");
            assert_eq!(cache.stats().unwrap().damaged, 5);
        }
    }
}

#[test]
fn keys_of_an_older_version_are_neither_read_nor_counted_nor_removed() {
    let Some(server) = Running::start(&[]) else { return };
    let (config, fingerprint) = (config(&server), format!("{{{}}}", "01".repeat(32)));
    let old = ["phicache:raw:key", &format!("phicache:{fingerprint}@role:key"), "phicache!lease:{phicache:raw:key}"];
    old.iter().for_each(|name| server.ask::<()>(&format!("SET {name} value")));
    let leases = RemoteOptions { lease: Some(Duration::from_secs(60)), ..RemoteOptions::default() };
    let system = Fingerprint([1; 32]);
    let role = RedisCache::redis(config.clone(), Options::default(), Some((&system, "role"))).unwrap().into();
    for cache in [plain(&config), with(&config, leases), role] {
        assert!(cache.get(b"key").unwrap().is_none());
        assert_eq!(cache.memoize(b"key", |draft| draft.write(b"ours")).unwrap().origin, Origin::Computed);
        let stats = cache.stats().unwrap();
        assert_eq!((stats.damaged, stats.info.size), (0, 1));
        cache.clear().unwrap();
        assert_eq!(cache.size().unwrap(), 0);
        old.iter().for_each(|name| assert_eq!(server.ask::<String>(&format!("GET {name}")), "value"));
    }
}

#[test]
fn long_keys_have_short_names_and_are_distinguished() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let keys: Vec<Vec<u8>> = (0..50u8).map(|number| [&[0xF0; 1000][..], &[number]].concat()).collect();
    let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &key[1000..])).collect();
    let leases = RemoteOptions { lease: Some(Duration::from_secs(60)), ..RemoteOptions::default() };
    let (cache, leasing) = (plain(&config), with(&config, leases));
    assert!(set_many(&cache, &pairs).into_iter().all(|stored| stored == Ok(Ok(()))));
    assert!(server.ask::<Vec<String>>("KEYS *").iter().all(|name| name.len() == "phicache/2:raw:#".len() + 32));
    let mut found = 0;
    let found_one = |at: usize, value: phicache::cache::Value| {
        assert_eq!(value.entry.value(), [at as u8]);
        found += 1;
    };
    cache.get_many(keys.iter().map(Vec::as_slice), found_one).unwrap();
    assert_eq!(found, 50);
    assert_eq!(leasing.memoize(&keys[7], |_| panic!("it is there")).unwrap().entry.value(), [7]);
    assert!(cache.remove(&keys[7]).unwrap() && !cache.contains(&keys[7]).unwrap());
    assert_eq!(leasing.memoize(&keys[7], |draft| draft.write(b"anew")).unwrap().origin, Origin::Computed);
    assert_eq!((cache.get(&keys[7]).unwrap().unwrap().entry.value(), cache.size().unwrap()), (&b"anew"[..], 50));

    // MICE under long keys that are not standard keys, and the size of a child.
    let (parent, long) = (mice(&config, &system(), None), [7; 200]);
    fill(&parent);
    parent.set_mice(&long, &record(2, 4)).unwrap().unwrap();
    let other = mice(&config, &system(), None);
    let child = mice(&config, &cut(), Some(&other));
    assert_eq!((child.size().unwrap(), origin(&child, &long)), (2, Some(Origin::Parent)));
    // An invalid record is not counted.
    let name = server.ask::<Vec<String>>("KEYS *raw:#*").into_iter().find(|name| name.contains('{')).unwrap();
    server.ask::<u64>(&format!("SETRANGE {name} 70 x"));
    assert_eq!(child.size().unwrap(), 1);
}

#[test]
fn values_without_checksums_are_stored_as_they_are_and_kept_apart_from_sealed_ones() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let (sealed, bare) =
        (plain(&config), with(&config, RemoteOptions { no_checksum: true, ..RemoteOptions::default() }));
    bare.set(b"k", b"bare").unwrap().unwrap();
    assert_eq!(server.ask::<String>("GET phicache/2:raw!plain:k"), "bare");
    server.ask::<()>("SET phicache/2:raw!plain:theirs by-another-program");
    assert_eq!(bare.get(b"theirs").unwrap().unwrap().entry.value(), b"by-another-program");
    assert_eq!(found_by_every_lookup(&bare, b"k"), [true; 5]);
    assert!(sealed.get(b"k").unwrap().is_none());
    sealed.set(b"k", b"sealed").unwrap().unwrap();
    sealed.set(b"other", b"sealed").unwrap().unwrap();
    assert_eq!(
        (bare.get(b"k").unwrap().unwrap().entry.value(), bare.get(b"other").unwrap().is_none()),
        (&b"bare"[..], true)
    );
    assert_eq!((sealed.stats().unwrap().damaged, bare.stats().unwrap().damaged), (0, 0));
    bare.set(&[b'l'; 65], b"long").unwrap().unwrap();
    assert_eq!(server.ask::<String>(&format!("GET phicache/2:raw!plain:{}", "l".repeat(65))), "long");
    // Each cache covers the whole namespace.
    assert_eq!((sealed.size().unwrap(), bare.size().unwrap()), (5, 5));
    sealed.clear().unwrap();
    assert_eq!((bare.size().unwrap(), server.ask::<u64>("DBSIZE")), (0, 0));

    // A MICE has a checksum of its own.
    let remote = RemoteOptions { no_checksum: true, ..RemoteOptions::default() };
    let bare = || RedisCache::mice(config.clone(), Options { remote, ..Options::default() }, &system(), None).unwrap();
    fill(&bare());
    assert_eq!((origin(&bare(), &key(1)), origin(&mice(&config, &system(), None), &key(1))), (Some(Origin::Hit), None));
    for name in server.ask::<Vec<String>>("KEYS *") {
        server.ask::<u64>(&format!("SETRANGE {name} 66 x"));
    }
    let cache = bare();
    assert_eq!((origin(&cache, &key(1)), cache.stats().unwrap().damaged), (None, 1));
}

#[test]
fn the_whole_database_mode_behaves_as_pyphi() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    config.set_redis_whole_database(true);
    let cache = plain(&config);
    server.ask::<()>("SET theirs v");
    cache.set(b"k", b"v").unwrap().unwrap();
    assert_eq!(server.ask::<String>("GET k"), "v");
    cache.clear().unwrap();
    assert_eq!((figures(&cache), server.ask::<u64>("DBSIZE")), ((0, 0, 0), 0));

    let parent = mice(&config, &system(), None);
    let child = mice(&config, &cut(), Some(&parent));
    fill(&parent);
    let lookups = || {
        assert_eq!(origin(&child, b"nothing"), None);
        assert_eq!(origin(&child, &key(2)), Some(Origin::Parent));
        assert_eq!(origin(&child, &key(1)), None);
        assert_eq!(origin(&parent, &key(1)), Some(Origin::Hit));
    };
    assert_eq!(calls(&server, "get", lookups), 7);
    // The server's own counts: 3 of the lookups above found a key, 4 did not.
    assert_eq!(figures(&child.clone().into()), (3, 4, 2));
    child.clear().unwrap();
    assert_eq!(figures(&parent.into()), (0, 0, 0));
}

#[test]
fn one_of_two_processes_with_leases_computes() {
    let Some(server) = Running::start(&[]) else { return };
    let remote = RemoteOptions { lease: Some(Duration::from_secs(60)), ..RemoteOptions::default() };
    // Two handles are two holders, as two processes are.
    let (one, two) = (with(&config(&server), remote), with(&config(&server), remote));
    let (one, two) = (&one, &two);
    let computing = AtomicU32::new(0);
    let computing = &computing;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let value = one.memoize(b"k", |draft| {
                computing.store(1, SeqCst);
                server::eventually("the other waits", || computing.load(SeqCst) == 2);
                std::thread::sleep(Duration::from_millis(20));
                draft.write(b"v")
            });
            assert_eq!(value.unwrap().origin, Origin::Computed);
        });
        server::eventually("one computes", || computing.load(SeqCst) == 1);
        computing.store(2, SeqCst);
        let value = two.memoize(b"k", |_| panic!("it is computed already")).unwrap();
        assert_eq!((value.entry.value(), value.origin), (&b"v"[..], Origin::Waited));
        let stats = two.stats().unwrap();
        assert_eq!((stats.info.hits, stats.info.misses, stats.waits), (1, 0, 1));
    });
    assert_eq!(server.ask::<Vec<String>>("KEYS *"), ["phicache/2:raw:k"]);

    // A failed computation releases its lease; a computation that a clear invalidated stores nothing.
    one.memoize(b"f", |_| Err(phicache::error::Error::Callback(7))).err().unwrap();
    assert_eq!(two.memoize(b"f", |draft| draft.write(b"v")).unwrap().origin, Origin::Computed);
    let value = one.memoize(b"c", |draft| {
        two.clear().unwrap();
        draft.write(b"stale")
    });
    assert_eq!(value.unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
    assert!(two.get(b"c").unwrap().is_none());
}

#[test]
fn a_lost_lease_delays_others_until_it_expires_and_then_stores_nothing() {
    let Some(server) = Running::start(&[]) else { return };
    let lease = |time| RemoteOptions { lease: Some(time), ..RemoteOptions::default() };
    let one = with(&config(&server), lease(Duration::from_millis(200)));
    let two = with(&config(&server), lease(Duration::from_secs(60)));
    let value = one.memoize(b"k", |draft| {
        let other = two.memoize(b"k", |draft| draft.write(b"second"))?;
        assert_eq!((other.origin, two.stats()?.info.misses), (Origin::Computed, 1));
        draft.write(b"first")
    });
    let value = value.unwrap();
    assert_eq!(value.entry.value(), b"first");
    assert_eq!(value.origin, Origin::NotStored(Some(Refusal::Cleared)));
    assert_eq!(one.get(b"k").unwrap().unwrap().entry.value(), b"second");
}

#[test]
fn a_dead_server_is_a_miss_and_with_strict_an_error() {
    let Some(mut server) = Running::start(&[]) else { return };
    let config = config(&server);
    config.set_redis_timeout(Duration::from_secs(2)).unwrap();
    let strict = RemoteOptions { strict: true, ..RemoteOptions::default() };
    let (lenient, strict) = (plain(&config), with(&config, strict));
    let parent = mice(&config, &system(), None);
    fill(&parent);
    server.kill();
    let computed = lenient.memoize(b"k", |draft| draft.write(b"v")).unwrap();
    assert_eq!((computed.entry.value(), computed.origin), (&b"v"[..], Origin::NotStored(Some(Refusal::Server))));
    assert!(lenient.get(b"k").unwrap().is_none());
    assert_eq!(lenient.set(b"k", b"v").unwrap(), Err(Refusal::Server));
    assert_eq!((lenient.size().unwrap(), lenient.stats().unwrap().refused[Refusal::Server as usize]), (0, 2));
    assert!(strict.get(b"k").is_err() && strict.set(b"k", b"v").is_err() && strict.size().is_err());
    assert!(lenient.clear().is_err() && lenient.remove(b"k").is_err());
    // MICE in the near cache are still found, and new ones are stored there.
    assert_eq!(origin(&parent, &key(2)), Some(Origin::Hit));
    parent.set_mice(&key(4), &record(4, 1)).unwrap().unwrap();
    assert_eq!(origin(&parent, &key(4)), Some(Origin::Hit));
    let health = parent.health();
    assert!(health.failures > 0 && health.last_error.is_some(), "{health:?}");

    server.restart();
    server::eventually("it is asked again", || lenient.set(b"k", b"v").unwrap().is_ok());
    // The server lost its keys; those in the near cache are not requested.
    assert_eq!(origin(&parent, &key(2)), Some(Origin::Hit));
    assert_eq!(strict.get(b"k").unwrap().unwrap().entry.value(), b"v");
}

/// Calls every value different unless its bytes are equal.
struct Bytes;

impl Judge for Bytes {
    fn report(&self, _key: &[u8], _kept: &[u8], _computed: &[u8]) {}
}

#[test]
fn values_of_the_server_are_verified_and_replaced_there() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let options = || Options { verifier: Verifier::new(2, Bytes).unwrap(), ..Options::default() };
    let verified = |cache: &Cache| {
        let stats = cache.stats().unwrap();
        (stats.info.hits, stats.info.misses, stats.verified, stats.differences)
    };
    let memoize = |cache: &Cache, value: &[u8]| {
        let found = cache.memoize(b"k", |draft| draft.write(value)).unwrap();
        (found.entry.value().to_vec(), found.origin)
    };
    let (other, cache) = (plain(&config), RedisCache::redis(config.clone(), options(), None).unwrap().into());
    other.set(b"k", b"old").unwrap().unwrap();
    assert_eq!(memoize(&cache, b"new"), (b"old".to_vec(), Origin::Hit));
    assert_eq!(memoize(&cache, b"new"), (b"new".to_vec(), Origin::Computed));
    assert_eq!(other.get(b"k").unwrap().unwrap().entry.value(), b"new");
    assert_eq!(verified(&cache), (2, 0, 1, 1));

    // MICE, near and inherited.
    let parent = RedisCache::mice(config.clone(), options(), &system(), None).unwrap();
    let child: Cache = RedisCache::mice(config.clone(), options(), &cut(), Some(&parent)).unwrap().into();
    fill(&parent);
    let parent: Cache = parent.into();
    let mice = |cache: &Cache, phi| {
        let mice = Mice { phi, ..record(2, 4) };
        let found = cache.memoize(&key(2), |draft| {
            mice.write(draft.reserve(mice.record_len())?);
            Ok(())
        });
        let found = found.unwrap();
        (Mice::read(found.entry.value()).unwrap().phi, found.origin)
    };
    assert_eq!(
        (mice(&child, 0.25), mice(&child, 0.25)),
        ((0.5, Origin::Parent), (0.25, Origin::NotStored(Some(Refusal::Cut))))
    );
    assert_eq!((mice(&parent, 0.25), mice(&parent, 0.25)), ((0.5, Origin::Hit), (0.25, Origin::Computed)));
    assert_eq!((verified(&child), verified(&parent)), ((2, 0, 1, 1), (2, 0, 1, 1)));
    assert_eq!(mice(&child, 0.25), (0.25, Origin::Parent));
}

#[test]
fn a_server_that_fails_during_a_verification_loses_no_value() {
    let Some(mut server) = Running::start(&[]) else { return };
    let config = config(&server);
    let options = Options { verifier: Verifier::new(1, Bytes).unwrap(), ..Options::default() };
    let cache: Cache = RedisCache::redis(config, options, None).unwrap().into();
    cache.set(b"k", b"old").unwrap().unwrap();
    let found = cache.memoize(b"k", |draft| {
        server.kill();
        draft.write(b"new")
    });
    let found = found.unwrap();
    assert_eq!(found.entry.value(), b"new");
    assert!(matches!(found.origin, Origin::NotStored(Some(_))));
}

#[test]
fn a_value_keeps_its_cost_at_the_server() {
    const COST: u64 = 5_000_000_000;
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let mut value = vec![0; record(2, 4).record_len()];
    record(2, 4).write(&mut value);
    let keys: Vec<String> = (0..300).map(|key| format!("effect {key}")).collect();
    let mice = || {
        let options = Options { max_bytes: Some(16 << 10), ..Options::default() };
        Cache::from(RedisCache::mice(config.clone(), options, &system(), None).unwrap())
    };
    let writer = mice();
    for key in &keys {
        writer.set_with_cost(key.as_bytes(), &value, Cost::of_ns(COST)).unwrap().unwrap();
    }
    // The cost is known where it was not computed: what leaves a near cache is counted with it.
    let (one, batch, computing) = (mice(), mice(), mice());
    for key in &keys {
        assert!(one.get(key.as_bytes()).unwrap().is_some());
        assert_eq!(computing.memoize(key.as_bytes(), |_| panic!("it is there")).unwrap().origin, Origin::Hit);
    }
    for some in keys.chunks(20) {
        batch.get_many(some.iter().map(|key| key.as_bytes()), |_, _| ()).unwrap();
    }
    for cache in [one, batch, computing] {
        let stats = cache.stats().unwrap();
        assert!(stats.evictions > 100 && stats.evicted_ns == stats.evictions * COST, "{stats:?}");
    }
    // What is computed has the time that this took, and what is only set has none.
    let plain = plain(&config);
    plain.memoize(b"computed", |draft| draft.write(b"value")).unwrap();
    plain.set(b"set", b"value").unwrap().unwrap();
    let record = |key: &str| server.ask::<Vec<u8>>(&format!("GET phicache/2:raw:{key}"));
    let cost = |record: Vec<u8>| u64::from_le_bytes(record[5..13].try_into().unwrap());
    assert!(record("computed").starts_with(b"value"));
    assert!((1..1_000_000_000_000).contains(&cost(record("computed"))) && cost(record("set")) == 0);
}

#[test]
fn a_batch_larger_than_the_near_cache_leaves_values_near() {
    let Some(server) = Running::start(&[]) else { return };
    let config = config(&server);
    let system = Subsystem::new(&Fingerprint([1; 32]), &[0; 10], NodeSet::first(10), None, None).unwrap();
    let keys: Vec<Vec<u8>> = (1..=1000).map(key).collect();
    let writer = mice(&config, &system, None);
    for (number, key) in keys.iter().enumerate() {
        writer.set_mice(key, &record(number as u64 + 1, 1)).unwrap().unwrap();
    }
    let options = Options { max_bytes: Some(32 << 10), ..Options::default() };
    let reader = Cache::from(RedisCache::mice(config.clone(), options, &system, None).unwrap());
    let near = || reader.stats().unwrap().live_bytes;
    for key in &keys[..50] {
        reader.get(key).unwrap().unwrap();
    }
    let before = near();
    let batch: Vec<&[u8]> = keys[50..].iter().map(Vec::as_slice).collect();
    for _ in 0..3 {
        let mut found = Vec::new();
        reader.get_many(batch.iter().copied(), |_, value| found.push(value)).unwrap();
        assert_eq!(found.len(), batch.len());
        drop(found);
        assert!(near() >= before / 2, "{} bytes of {before} are left", near());
    }
}
