//! Faults of caches in Redis: removals that race with lookups; leases whose holders die, are late or fork; servers that
//! are full, read-only, restarted or a cluster.
#![cfg(feature = "redis")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use cluster::Cluster;
use phicache::cache::{Cache, Lease, OnFull, Options, Origin, RedisCache, Refusal, RemoteOptions, Started, Waited};
use phicache::config::Config;
use phicache::epoch;
use phicache::error::Error;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;
use proxy::Proxy;
use server::{Running, eventually};

#[allow(dead_code)]
#[path = "redis/cluster.rs"]
mod cluster;
#[allow(dead_code)]
#[path = "redis/proxy.rs"]
mod proxy;
#[allow(dead_code)]
#[path = "redis/server.rs"]
mod server;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(250);

fn config(url: &str) -> Arc<Config> {
    let config = Config::new().unwrap();
    config.set_redis_url(url).unwrap();
    config.set_redis_timeout(Duration::from_secs(10)).unwrap();
    config
}

fn url(server: &Running) -> String {
    format!("unix://{}", server.socket().display())
}

/// A cache with its own configuration and connections, as in another process.
fn elsewhere(url: &str, remote: RemoteOptions) -> Cache {
    RedisCache::redis(config(url), Options { remote, ..Options::default() }, None).unwrap().into()
}

fn leases(lease: Duration) -> RemoteOptions {
    RemoteOptions { lease: Some(lease), ..RemoteOptions::default() }
}

fn system() -> Subsystem {
    Subsystem::new(&Fingerprint([3; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap()
}

/// Severs 0 -> 1 and 0 -> 2.
fn cut() -> Subsystem {
    system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap()
}

fn mice(url: &str, options: Options) -> TryArc<RedisCache> {
    RedisCache::mice(config(url), options, &system(), None).unwrap()
}

fn record(payload: &[u8]) -> Mice<'_> {
    Mice { direction: Direction::Effect, mechanism: NodeSet(2), purview: NodeSet(4), phi: 0.5, payload }
}

/// A standard key, another one for each number.
fn key(number: u32) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

/// Runs `act` while other threads look a key up in a loop.
fn while_others_ask(cache: &TryArc<RedisCache>, key: &[u8], act: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    if let Some(value) = cache.get(key).unwrap() {
                        assert_eq!(Mice::read_checked(value.entry.value()).unwrap().payload, b"payload");
                    }
                }
            });
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        stop.store(true, SeqCst);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Stores a batch; returns for each key what `set` would.
fn set_many(cache: &Cache, pairs: &[(&[u8], &[u8])]) -> Vec<phicache::error::Result<phicache::cache::Stored>> {
    let mut answers = Vec::new();
    cache.set_many(pairs.iter().copied(), |answer| answers.push(answer)).unwrap();
    answers
}

#[test]
fn a_removed_key_is_not_found_afterwards_even_if_many_threads_fetch_it_meanwhile() {
    let Some(server) = Running::start(&[]) else { return };
    // With leases a removal sends two commands, so that other threads' commands come in between.
    let options = || Options { remote: leases(LONG), ..Options::default() };
    let (here, there) = (mice(&url(&server), options()), mice(&url(&server), options()));
    while_others_ask(&here, &key(1), || {
        for round in 0..400 {
            there.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
            assert!(here.remove(&key(1)).unwrap());
            assert!(here.get(&key(1)).unwrap().is_none(), "in round {round}");
        }
    });
}

#[test]
fn a_cleared_key_is_not_found_afterwards_even_if_many_threads_fetch_it_meanwhile() {
    let Some(server) = Running::start(&[]) else { return };
    let (here, there) = (mice(&url(&server), Options::default()), mice(&url(&server), Options::default()));
    while_others_ask(&here, &key(1), || {
        for round in 0..400 {
            there.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
            here.clear().unwrap();
            assert!(here.get(&key(1)).unwrap().is_none(), "in round {round}");
        }
    });
}

#[test]
fn an_answer_in_transit_while_its_key_is_removed_is_not_kept() {
    let Some(server) = Running::start(&[]) else { return };
    let mut proxy = Proxy::before(&server);
    let (here, there) = (mice(&proxy.url(), Options::default()), mice(&url(&server), Options::default()));
    let removals: [fn(&RedisCache); 2] =
        [|cache| assert!(cache.remove(&key(1)).unwrap()), |cache| cache.clear().unwrap()];
    for remove in removals {
        there.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
        proxy.set("once delay 1000");
        let asked = server.calls("get");
        std::thread::scope(|scope| {
            let fetched = scope.spawn(|| here.get(&key(1)).unwrap().is_some());
            eventually("it is asked for", || server.calls("get") > asked);
            std::thread::sleep(Duration::from_millis(100));
            remove(&here);
            assert!(fetched.join().unwrap());
        });
        assert!(here.get(&key(1)).unwrap().is_none());
    }
}

#[test]
fn a_value_being_stored_while_its_key_is_removed_is_gone_afterwards() {
    let Some(server) = Running::start(&[]) else { return };
    let mut proxy = Proxy::before(&server);
    let here = mice(&proxy.url(), Options::default());
    let (cache, sent) = (Cache::from(here.clone()), server.calls("set"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let value = cache.memoize(&key(1), |draft| {
                proxy.set("once delay 1000");
                record(b"payload").write(draft.reserve(record(b"payload").record_len())?);
                Ok(())
            });
            assert_eq!(value.unwrap().origin, Origin::Computed);
        });
        eventually("it is at the server", || server.calls("set") > sent);
        std::thread::sleep(Duration::from_millis(100));
        assert!(here.remove(&key(1)).unwrap());
    });
    assert!(here.get(&key(1)).unwrap().is_none());
}

#[test]
fn clearing_sets_all_counts_to_zero() {
    let Some(server) = Running::start(&[]) else { return };
    let cache = mice(&url(&server), Options::default());
    cache.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
    let names = server.ask::<Vec<String>>("KEYS *");
    server.ask::<()>(&format!("SET {} damaged", names[0]));
    let other = mice(&url(&server), Options::default());
    assert!(other.get(&key(1)).unwrap().is_none());
    assert_eq!(other.stats().unwrap().damaged, 1);
    other.clear().unwrap();
    assert_eq!(other.stats().unwrap().damaged, 0);
}

#[test]
fn a_clear_that_fails_leaves_the_counts() {
    let Some(mut server) = Running::start(&[]) else { return };
    let cache = mice(&url(&server), Options::default());
    cache.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
    assert!(cache.get(&key(1)).unwrap().is_some() && cache.get(&key(2)).unwrap().is_none());
    let counts = |cache: &RedisCache| {
        let stats = cache.near().stats();
        (stats.info.hits, stats.info.misses, stats.stores)
    };
    server.kill();
    cache.clear().unwrap_err();
    assert_eq!(counts(&cache), (1, 1, 1));
    // The values in this process are gone.
    assert_eq!(cache.near().size(), 0);
}

#[test]
fn a_damaged_record_counts_once_also_with_leases() {
    let Some(server) = Running::start(&[]) else { return };
    let options = || Options { remote: leases(LONG), ..Options::default() };
    let cache = mice(&url(&server), options());
    cache.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
    let names = server.ask::<Vec<String>>("KEYS *");
    for damage in ["", "d", "damaged", &"x".repeat(70_000)] {
        let words = if damage.is_empty() { "SETRANGE NAME 0 x" } else { "SET NAME VALUE" };
        server.ask::<()>(&words.replace("NAME", &names[0]).replace("VALUE", damage));
        let other: Cache = mice(&url(&server), options()).into();
        let value = other.memoize(&key(1), |draft| {
            let record = record(b"payload");
            record.write(draft.reserve(record.record_len())?);
            Ok(())
        });
        assert_eq!(value.unwrap().origin, Origin::Computed);
        assert_eq!(other.stats().unwrap().damaged, 1);
        assert!(mice(&url(&server), options()).get(&key(1)).unwrap().is_some());
    }
}

#[test]
fn the_near_cache_stays_within_its_limit_and_other_keys_are_fetched_each_time() {
    let Some(server) = Running::start(&[]) else { return };
    let limit = 64 << 10;
    let options = || Options { max_bytes: Some(limit), on_full: OnFull::Refuse, ..Options::default() };
    let (writer, reader) = (mice(&url(&server), options()), mice(&url(&server), options()));
    let payload = [7; 500];
    for number in 0..500 {
        assert_eq!(writer.set_mice(&key(number), &record(&payload)).unwrap(), Ok(()));
    }
    for _ in 0..2 {
        for number in 0..500 {
            let value = reader.get(&key(number)).unwrap().unwrap();
            assert_eq!(Mice::read_checked(value.entry.value()).unwrap().payload, payload);
        }
    }
    for cache in [&writer, &reader] {
        let stats = cache.stats().unwrap();
        assert!(stats.bytes <= limit && stats.bytes > limit / 2, "{stats:?}");
        assert_eq!(stats.info.size, 500);
    }
    let kept = (0..500).filter(|number| reader.near().contains(&key(*number))).count() as u64;
    assert_eq!(server.calls("get"), 2 * 500 - kept);

    // One that evicts keeps the values of the last lookups.
    let evicting = mice(&url(&server), Options { on_full: OnFull::Evict, ..options() });
    for number in 0..500 {
        assert!(evicting.get(&key(number)).unwrap().is_some());
    }
    let stats = evicting.stats().unwrap();
    assert!(stats.bytes <= limit && stats.evictions > 0 && evicting.near().contains(&key(499)), "{stats:?}");
    assert!(!evicting.near().contains(&key(0)));
}

#[test]
fn reading_in_place_while_another_thread_clears_finds_the_value_or_nothing() {
    let Some(server) = Running::start(&[]) else { return };
    let (here, there) = (mice(&url(&server), Options::default()), mice(&url(&server), Options::default()));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..300 {
                there.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
                here.clear().unwrap();
            }
            stop.store(true, SeqCst);
        });
        while !stop.load(SeqCst) {
            epoch::read(|guard| {
                if let Some(value) = here.look(guard, &key(1)).unwrap() {
                    assert_eq!(Mice::read_checked(value).unwrap().payload, b"payload");
                }
            });
        }
    });
}

#[test]
fn a_lookup_does_not_wait_for_threads_that_store_and_remove() {
    let Some(server) = Running::start(&[]) else { return };
    let mut proxy = Proxy::before(&server);
    let cache = elsewhere(&proxy.url(), RemoteOptions::default());
    cache.set(b"k", b"v").unwrap().unwrap();
    let slow = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cache.memoize(b"slow", |draft| {
                proxy.set("delay 5000");
                slow.store(true, SeqCst);
                draft.write(b"v")
            })
        });
        eventually("it is being stored", || slow.load(SeqCst));
        std::thread::sleep(Duration::from_millis(100));
        scope.spawn(|| cache.remove(b"removed").unwrap());
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        assert!(cache.get(b"k").unwrap().is_some());
        // Its own reply takes five seconds; if it waited for the store, it would take nearly five more.
        assert!(began.elapsed() < Duration::from_millis(8500), "{:?}", began.elapsed());
    });
}

#[test]
fn a_removal_while_a_value_is_computed_leaves_neither_value_nor_lease() {
    let Some(server) = Running::start(&[]) else { return };
    for remote in [RemoteOptions::default(), leases(LONG)] {
        let cache = elsewhere(&url(&server), remote);
        let value = cache.memoize(b"k", |draft| {
            cache.remove(b"k")?;
            draft.write(b"stale")
        });
        assert_eq!(value.unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
        assert_eq!(server.ask::<u64>("DBSIZE"), 0);
        let value = cache.memoize(b"k", |draft| {
            cache.clear()?;
            draft.write(b"stale")
        });
        assert_eq!(value.unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
        assert_eq!(server.ask::<u64>("DBSIZE"), 0);
    }
}

#[test]
fn a_mice_whose_lease_another_process_has_ended_is_not_near_either() {
    let Some(server) = Running::start(&[]) else { return };
    let mice = || mice(&url(&server), Options { remote: leases(LONG), ..Options::default() });
    let (one, two, key) = (mice(), mice(), key(1));
    let computed = Cache::from(one.clone()).memoize(&key, |draft| {
        two.clear()?;
        let mice = record(b"stale");
        mice.write(draft.reserve(mice.record_len())?);
        Ok(())
    });
    assert_eq!(computed.unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
    assert!(one.get(&key).unwrap().is_none());
    assert_eq!(server.ask::<u64>("DBSIZE"), 0);
}

#[test]
fn a_value_whose_claim_failed_replaces_none_that_was_stored_meanwhile() {
    let Some(server) = Running::start(&[]) else { return };
    let (one, two) = (elsewhere(&url(&server), leases(LONG)), elsewhere(&url(&server), leases(LONG)));
    server.ask::<()>("CONFIG SET maxmemory 1");
    let value = one.memoize(b"k", |draft| {
        server.ask::<()>("CONFIG SET maxmemory 0");
        two.set(b"k", b"first")?.unwrap();
        draft.write(b"late")
    });
    assert_eq!(value.unwrap().entry.value(), b"late");
    assert_eq!(one.get(b"k").unwrap().unwrap().entry.value(), b"first");
}

#[test]
fn a_removal_while_a_thread_waits_for_another_process_leaves_no_lease() {
    let Some(server) = Running::start(&[]) else { return };
    let (one, two) = (elsewhere(&url(&server), leases(LONG)), elsewhere(&url(&server), leases(LONG)));
    let began = two.memoize(b"k", |draft| {
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| one.memoize(b"k", |draft| draft.write(b"stale")).unwrap().origin);
            eventually("it waits", || server.calls("set") >= 3);
            one.remove(b"k").unwrap();
            assert_eq!(waits.join().unwrap(), Origin::NotStored(Some(Refusal::Cleared)));
        });
        draft.write(b"stale")
    });
    assert_eq!(began.unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
    assert_eq!(server.ask::<Vec<String>>("KEYS *"), [""; 0]);
}

#[test]
fn a_full_server_loses_no_computed_value_and_delays_no_caller() {
    let Some(server) = Running::start(&[]) else { return };
    let strict = RemoteOptions { strict: true, ..leases(LONG) };
    for remote in [leases(LONG), strict] {
        let (one, two) = (elsewhere(&url(&server), remote), elsewhere(&url(&server), remote));
        let value = one.memoize(b"k", |draft| {
            server.ask::<()>("CONFIG SET maxmemory 1");
            draft.write(b"v")
        });
        let value = value.unwrap();
        assert_eq!((value.entry.value(), value.origin), (&b"v"[..], Origin::NotStored(Some(Refusal::Server))));
        assert_eq!(two.set(b"k", b"v").is_err(), remote.strict);
        assert!(set_many(&two, &[(b"k", b"v"), (b"l", b"v")]).iter().all(|stored| stored.is_err() == remote.strict));
        assert!(two.get(b"k").unwrap().is_none());
        server.ask::<()>("CONFIG SET maxmemory 0");
        // The lease was released: the next caller does not wait for its expiry.
        let began = Instant::now();
        assert_eq!(two.memoize(b"k", |draft| draft.write(b"v")).unwrap().origin, Origin::Computed);
        assert!(began.elapsed() < LONG / 2);
        two.clear().unwrap();
    }
}

#[test]
fn a_mice_that_only_the_near_cache_takes_delays_no_caller_elsewhere() {
    let Some(server) = Running::start(&[]) else { return };
    let make = || Cache::from(mice(&url(&server), Options { remote: leases(LONG), ..Options::default() }));
    let (one, two) = (make(), make());
    let compute = |cache: &Cache, meanwhile: &str| {
        let computed = cache.memoize(b"k", |draft| {
            server.ask::<()>(meanwhile);
            let mice = record(b"r");
            mice.write(draft.reserve(mice.record_len())?);
            Ok(())
        });
        computed.unwrap().origin
    };
    assert_eq!(compute(&one, "CONFIG SET maxmemory 1"), Origin::Computed);
    server.ask::<()>("CONFIG SET maxmemory 0");
    let began = Instant::now();
    assert_eq!(compute(&two, "PING"), Origin::Computed);
    assert!(began.elapsed() < LONG / 2);
}

#[test]
fn without_scripts_a_value_is_stored_and_the_next_caller_does_not_wait() {
    let user = ["--user", "me", "on", ">secret", "~phicache*", "-@all", "+get", "+set", "+exists", "+unlink"];
    for options in [&user[..], &user[..9], &["--rename-command", "EVAL", ""]] {
        let Some(server) = Running::start(options) else { return };
        let login = if options[0] == "--user" { "unix://me:secret@" } else { "unix://" };
        let url = url(&server).replace("unix://", login);
        let (one, two) = (elsewhere(&url, leases(LONG)), elsewhere(&url, leases(LONG)));
        assert_eq!(one.memoize(b"k", |draft| draft.write(b"v")).unwrap().origin, Origin::Computed);
        assert_eq!(two.memoize(b"k", |_| panic!("it is stored")).unwrap().origin, Origin::Hit);
        // A computation that fails releases its lease too.
        assert!(one.memoize(b"failed", |_| Err(Error::Callback(1))).is_err());
        let began = Instant::now();
        assert_eq!(two.memoize(b"failed", |draft| draft.write(b"v")).unwrap().origin, Origin::Computed);
        assert!(began.elapsed() < LONG / 2);
    }
}

#[test]
fn a_read_only_server_is_read_and_no_computed_value_is_lost() {
    let Some(primary) = Running::start(&["--repl-diskless-sync-delay", "0"]) else { return };
    let replica = Running::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]).unwrap();
    elsewhere(&url(&primary), RemoteOptions::default()).set(b"k", b"v").unwrap().unwrap();
    for remote in [RemoteOptions::default(), leases(LONG)] {
        let cache = elsewhere(&url(&replica), remote);
        eventually("the value arrives", || cache.get(b"k").unwrap().is_some());
        assert_eq!(cache.memoize(b"k", |_| panic!("it is there")).unwrap().origin, Origin::Hit);
        let value = cache.memoize(b"new", |draft| draft.write(b"v")).unwrap();
        assert_eq!((value.entry.value(), value.origin), (&b"v"[..], Origin::NotStored(Some(Refusal::Server))));
        assert_eq!(cache.set(b"new", b"v").unwrap(), Err(Refusal::Server));
        assert!(cache.remove(b"k").is_err() && cache.clear().is_err());
        let told = elsewhere(&url(&replica), RemoteOptions { strict: true, ..remote });
        assert!(matches!(told.set(b"new", b"v"), Err(Error::Redis(text)) if text.contains("READONLY")));
        assert!(told.get(b"k").unwrap().is_some());
    }
}

#[test]
fn a_computed_value_is_never_lost_even_if_the_server_fails_meanwhile() {
    let Some(mut server) = Running::start(&[]) else { return };
    let url = url(&server);
    for strict in [false, true] {
        for remote in [RemoteOptions { strict, ..leases(LONG) }, RemoteOptions { strict, ..RemoteOptions::default() }] {
            let config = config(&url);
            config.set_redis_timeout(Duration::from_millis(300)).unwrap();
            let options = || Options { remote, ..Options::default() };
            let cache: Cache = RedisCache::redis(config.clone(), options(), None).unwrap().into();
            let kept: Cache = RedisCache::mice(config.clone(), options(), &system(), None).unwrap().into();
            let compute = |cache: &Cache, value: &[u8], meanwhile: &mut dyn FnMut()| {
                eventually("the server is asked again", || cache.get(b"other").is_ok() && !server_is_skipped(cache));
                let found = cache.memoize(b"k", |draft| {
                    meanwhile();
                    draft.write(value)
                });
                let found = found.unwrap();
                assert_eq!(found.entry.value(), value);
                found.origin
            };
            let mut bytes = vec![0; record(b"payload").record_len()];
            record(b"payload").write(&mut bytes);
            for (cache, value) in [(&cache, &b"v"[..]), (&kept, &bytes[..])] {
                let near = cache.is_same(&kept);
                server.freeze();
                server.thaw();
                assert_eq!(compute(cache, value, &mut || server.freeze()), stored_if(near));
                server.thaw();
                cache.clear().or_else(|_| cache.clear()).unwrap_or(());
                eventually("it is gone", || cache.clear().is_ok());
                assert_eq!(compute(cache, value, &mut || server.kill()), stored_if(near));
                server.restart();
                eventually("it is gone", || cache.clear().is_ok());
                // A restarted server has forgotten the lease, and the client cannot know why.
                let origin = compute(cache, value, &mut || {
                    server.kill();
                    server.restart();
                });
                match remote.lease {
                    None => assert_eq!(origin, Origin::Computed),
                    Some(_) => assert_ne!(origin, Origin::Hit),
                }
                eventually("it is gone", || cache.clear().is_ok());
            }
        }
    }
}

/// The origin of a value that could not be stored at the server; a MICE is stored in the near cache.
fn stored_if(near: bool) -> Origin {
    if near { Origin::Computed } else { Origin::NotStored(Some(Refusal::Server)) }
}

fn server_is_skipped(cache: &Cache) -> bool {
    let Cache::Redis(cache) = cache else { panic!("it is in Redis") };
    cache.health().skipping.is_some()
}

#[test]
fn a_missing_key_is_requested_once_for_all_threads() {
    let Some(server) = Running::start(&[]) else { return };
    for (remote, commands) in [(RemoteOptions::default(), 1), (leases(LONG), 2)] {
        let (cache, computed, before) = (elsewhere(&url(&server), remote), AtomicU32::new(0), server.calls("get"));
        let asked = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    asked.fetch_add(1, SeqCst);
                    let value = cache.memoize(b"k", |draft| {
                        computed.fetch_add(1, SeqCst);
                        eventually("all ask", || asked.load(SeqCst) == 8);
                        std::thread::sleep(Duration::from_millis(200));
                        assert_eq!(server.calls("get") - before, commands);
                        draft.write(b"v")
                    });
                    assert_eq!(value.unwrap().entry.value(), b"v");
                });
            }
        });
        assert_eq!(computed.load(SeqCst), 1);
        cache.clear().unwrap();
    }
}

#[test]
fn recursion_and_cycles_are_detected_with_leases_too() {
    let Some(server) = Running::start(&[]) else { return };
    let cache = elsewhere(&url(&server), leases(LONG));
    let own = cache.memoize(b"k", |_| cache.memoize(b"k", |draft| draft.write(b"v")).map(drop));
    assert!(matches!(own, Err(Error::Recursion(_))));
    assert_eq!(server.ask::<u64>("DBSIZE"), 0);
    // Two threads, each of which needs the other's key.
    let (began, computing) = (Instant::now(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for (mine, others) in [(b"a", b"b"), (b"b", b"a")] {
            let (cache, computing) = (&cache, &computing);
            scope.spawn(move || {
                let value = cache.memoize(mine, |draft| {
                    computing.fetch_add(1, SeqCst);
                    eventually("both compute", || computing.load(SeqCst) >= 2);
                    let other = cache.memoize(others, |draft| draft.write(others))?;
                    assert_eq!(other.entry.value(), others);
                    draft.write(mine)
                });
                assert_eq!(value.unwrap().entry.value(), mine);
            });
        }
    });
    assert!(began.elapsed() < LONG / 2);
    assert_eq!(server.ask::<u64>("DBSIZE"), 2);
}

#[test]
fn two_processes_that_wait_for_each_other_go_on_when_their_leases_run_out() {
    let Some(server) = Running::start(&[]) else { return };
    let computing = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for (mine, others) in [(b"a", b"b"), (b"b", b"a")] {
            let (cache, computing) = (elsewhere(&url(&server), leases(SHORT)), &computing);
            scope.spawn(move || {
                let value = cache.memoize(mine, |draft| {
                    computing.fetch_add(1, SeqCst);
                    eventually("both compute", || computing.load(SeqCst) >= 2);
                    let other = cache.memoize(others, |draft| draft.write(others))?;
                    assert_eq!(other.entry.value(), others);
                    draft.write(mine)
                });
                assert_eq!(value.unwrap().entry.value(), mine);
            });
        }
    });
}

#[test]
fn begin_and_wait_detect_another_process_that_computes() {
    let Some(server) = Running::start(&[]) else { return };
    let (one, two) = (elsewhere(&url(&server), leases(LONG)), elsewhere(&url(&server), leases(LONG)));
    let begin = |cache: &Cache| Lease::begin(cache, b"k", 7).unwrap();
    let soon = Duration::from_millis(30);
    let Started::Lease(mut lease) = begin(&one) else { panic!("nobody computes it") };
    assert!(matches!(begin(&two), Started::Busy));
    assert!(matches!(Lease::wait(&two, b"k", 7, soon).unwrap(), Waited::TimeOut));
    lease.reserve(1).unwrap()[0] = b'v';
    assert_eq!(lease.complete().unwrap().origin, Origin::Computed);
    let Waited::Value(value) = Lease::wait(&two, b"k", 7, LONG).unwrap() else { panic!("it is there") };
    assert_eq!((value.entry.value(), value.origin), (&b"v"[..], Origin::Waited));
    let stats = two.stats().unwrap();
    assert_eq!((stats.info.hits, stats.info.misses, stats.waits), (1, 0, 1));
    assert!(matches!(begin(&two), Started::Found(_)));

    one.clear().unwrap();
    let Started::Lease(lease) = begin(&one) else { panic!("nobody computes it") };
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| Lease::wait(&two, b"k", 7, LONG).unwrap());
        std::thread::sleep(soon);
        drop(lease);
        assert!(matches!(waits.join().unwrap(), Waited::Nobody));
    });
    // A value whose key another process removed during the computation is not stored.
    let Started::Lease(mut lease) = begin(&two) else { panic!("it was given back") };
    one.remove(b"k").unwrap();
    lease.reserve(1).unwrap()[0] = b'v';
    assert_eq!(lease.complete().unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
    assert_eq!(server.ask::<u64>("DBSIZE"), 0);
    // A thread that ends abandons its leases.
    std::thread::scope(|scope| {
        scope.spawn(|| match Lease::begin(&one, b"k", 0).unwrap() {
            Started::Lease(lease) => std::mem::forget(lease),
            _ => panic!("nobody computes it"),
        });
    });
    eventually("the lease is back", || matches!(begin(&two), Started::Lease(_)));
}

/// Runs `child` in a child process; the pid to wait for.
fn fork(child: impl FnOnce() -> bool) -> libc::pid_t {
    // SAFETY: the child leaves by `_exit`, and the alarm ends one that hangs. It uses the allocator, which glibc keeps
    // whole across a fork, and what is tested here.
    unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(120);
                let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
                libc::_exit(i32::from(!good))
            }
            pid => pid,
        }
    }
}

fn status(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: it waits for a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

#[test]
fn a_worker_that_is_killed_delays_the_others_until_its_lease_runs_out() {
    let Some(server) = Running::start(&[]) else { return };
    let lease = Duration::from_millis(1500);
    let (cache, patient) = (elsewhere(&url(&server), leases(lease)), elsewhere(&url(&server), leases(LONG)));
    let (began, sent) = (Instant::now(), server.calls("set"));
    let pid = fork(|| {
        let _ = cache.memoize(b"k", |_| {
            loop {
                std::thread::sleep(LONG);
            }
        });
        false
    });
    eventually("it computes", || server.calls("set") > sent);
    // SAFETY: it is a child of ours.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    assert_eq!(status(pid), libc::SIGKILL);
    let value = patient.memoize(b"k", |draft| draft.write(b"v")).unwrap();
    assert_eq!(value.origin, Origin::Computed);
    assert!(began.elapsed() >= lease - Duration::from_millis(100) && began.elapsed() < lease + LONG);
}

#[test]
fn a_child_that_is_forked_while_a_lease_is_held_neither_stores_nor_gives_it_back() {
    let Some(server) = Running::start(&[]) else { return };
    let cache = elsewhere(&url(&server), leases(LONG));
    let mut parent = 0;
    let mut child = false;
    let value = cache.memoize(b"k", |draft| {
        // SAFETY: the child leaves by `_exit` below, and the alarm ends one that hangs; see `fork`.
        parent = unsafe { libc::fork() };
        child = parent == 0;
        if child {
            // SAFETY: it only sets a timer.
            unsafe { libc::alarm(120) };
            return draft.write(b"of the child");
        }
        assert_eq!(status(parent), 0);
        assert_eq!(server.ask::<Vec<String>>("KEYS *").len(), 1);
        draft.write(b"of the parent")
    });
    if child {
        let good = value.is_ok_and(|value| value.origin == Origin::NotStored(Some(Refusal::Cleared)));
        // SAFETY: it ends this process.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    let value = value.unwrap();
    assert_eq!((value.entry.value(), value.origin), (&b"of the parent"[..], Origin::Computed));
    assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), b"of the parent");
    // The same for a lease that the child abandons.
    let value = cache.memoize(b"other", |draft| {
        let pid = fork(|| {
            let again = cache.memoize(b"other", |_| Err(Error::Callback(1)));
            again.is_err()
        });
        // The child waits for its parent's lease, as any process does; the alarm ends it.
        eventually("the child asks", || server.calls("set") >= 4);
        // SAFETY: it is a child of ours.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        status(pid);
        draft.write(b"v")
    });
    assert_eq!(value.unwrap().origin, Origin::Computed);
}

#[test]
fn in_a_cluster_the_mice_of_a_system_are_on_one_node_and_leases_beside_their_values() {
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.url(true);
    let remote = leases(LONG);
    let (one, two) = (elsewhere(&url, remote), elsewhere(&url, remote));
    for number in 0..30 {
        let value = one.memoize(&key(number), |draft| {
            let other = Lease::begin(&two, &key(number), 1)?;
            assert!(matches!(other, Started::Busy));
            draft.write(&key(number))
        });
        assert_eq!(value.unwrap().origin, Origin::Computed);
        assert_eq!(two.get(&key(number)).unwrap().unwrap().entry.value(), key(number));
    }
    assert_eq!((one.size().unwrap(), two.remove(&key(3)).unwrap()), (30, true));
    assert!(cluster.0.iter().all(|node| node.ask::<u64>("DBSIZE") > 0));
    one.clear().unwrap();
    assert!(cluster.0.iter().all(|node| node.ask::<u64>("DBSIZE") == 0));

    let config = config(&url);
    let options = || Options { remote, ..Options::default() };
    let parent = RedisCache::mice(config.clone(), options(), &system(), None).unwrap();
    let child = RedisCache::mice(config.clone(), options(), &cut(), Some(&parent)).unwrap();
    for number in 0..30 {
        parent.set_mice(&key(number), &record(b"payload")).unwrap().unwrap();
    }
    let mut sizes = cluster.0.each_ref().map(|node| node.ask::<u64>("DBSIZE"));
    sizes.sort();
    assert_eq!(sizes, [0, 0, 30]);
    assert_eq!((parent.size().unwrap(), child.size().unwrap()), (30, 30));
    let keys: Vec<Vec<u8>> = (0..40).map(key).collect();
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let fresh = RedisCache::mice(config, options(), &system(), None).unwrap();
    let mut found = 0;
    fresh.get_many(&keys, |_, _| found += 1).unwrap();
    assert_eq!(found, 30);
    parent.clear().unwrap();
    assert_eq!(fresh.size().unwrap(), 0);
}

/// Stores a batch and compares each answer with the server afterwards. Returns how many were stored and how many not.
fn store_and_look(cache: &Cache, pairs: &[(&[u8], &[u8])], strict: bool, why: &str) -> (usize, usize) {
    let answers = set_many(cache, pairs);
    let mut stored = 0;
    for ((key, value), answer) in pairs.iter().zip(&answers) {
        // A key whose node is down now cannot be compared.
        let is_there = cache.get(key).ok().flatten().map(|found| found.entry.value() == *value);
        match answer {
            Ok(Ok(())) => {
                assert_eq!(is_there, Some(true), "it was said to be stored");
                stored += 1;
            }
            Ok(Err(Refusal::Server)) if !strict => assert_ne!(is_there, Some(true)),
            Err(Error::Redis(text)) if strict => {
                assert!(text.contains(why), "{text}");
                assert_ne!(is_there, Some(true));
            }
            other => panic!("{other:?}"),
        }
    }
    (stored, answers.len() - stored)
}

#[test]
fn each_key_of_a_batch_with_a_dead_node_has_its_own_answer() {
    let Some(mut cluster) = Cluster::start() else { return };
    let keys: Vec<Vec<u8>> = (0..200).map(|number| format!("key {number}").into_bytes()).collect();
    let values: Vec<Vec<u8>> = (0..3).map(|round| format!("value {round}").into_bytes()).collect();
    let pairs = |round: usize| keys.iter().map(|key| (&key[..], &values[round][..])).collect::<Vec<_>>();
    let cache = |strict| elsewhere(&cluster.url(true), RemoteOptions { strict, ..RemoteOptions::default() });
    let (lenient, strict) = (cache(false), cache(true));
    assert_eq!(store_and_look(&lenient, &pairs(0), false, ""), (200, 0));
    cluster.0[2].kill();
    for (round, cache, is_strict) in [(1, &lenient, false), (2, &strict, true)] {
        let (stored, failed) = store_and_look(cache, &pairs(round), is_strict, &cluster.0[2].port.to_string());
        assert!(stored > 50 && failed > 20, "{stored} {failed}");
        let before = cache.info_here();
        let mut found = 0;
        let answer = cache.get_many(keys.iter().map(Vec::as_slice), |_, value| {
            assert_eq!(value.entry.value(), &values[round][..]);
            found += 1;
        });
        assert_eq!((found, answer.is_err()), (stored, is_strict));
        // In a strict cache, a key that was not requested is an error, not a miss.
        let after = cache.info_here();
        let misses = if is_strict { 0 } else { failed as u64 };
        assert_eq!((after.hits - before.hits, after.misses - before.misses), (stored as u64, misses));
    }
}

#[test]
fn each_key_of_a_batch_that_fills_the_server_has_its_own_answer() {
    for (strict, ttl) in [(false, None), (true, None), (false, Some(LONG)), (true, Some(LONG))] {
        let Some(server) = Running::start(&["--maxmemory", "16mb", "--maxmemory-policy", "noeviction"]) else { return };
        let cache = elsewhere(&url(&server), RemoteOptions { strict, ttl, ..RemoteOptions::default() });
        let value = vec![7; 200_000];
        let keys: Vec<[u8; 2]> = (0..200u16).map(u16::to_le_bytes).collect();
        let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &value[..])).collect();
        let (stored, failed) = store_and_look(&cache, &pairs, strict, "OOM");
        assert!(stored > 0 && failed > 0, "{stored} {failed}");
        assert!(cache.stats().unwrap().stores == stored as u64);
    }
}

#[test]
fn an_invalid_value_of_a_batch_does_not_affect_the_others() {
    let Some(server) = Running::start(&[]) else { return };
    let cache: Cache = mice(&url(&server), Options::default()).into();
    let mut good = vec![0; record(b"payload").record_len()];
    record(b"payload").write(&mut good);
    let keys = [key(1), key(2), key(3)];
    let pairs: [(&[u8], &[u8]); 3] = [(&keys[0], &good), (&keys[1], b"no record"), (&keys[2], &good)];
    let answers = set_many(&cache, &pairs);
    assert!(matches!(answers[..], [Ok(Ok(())), Err(Error::Damaged(_)), Ok(Ok(()))]), "{answers:?}");
    assert_eq!(cache.size().unwrap(), 2);
}

#[test]
fn the_whole_database_survives_damage_failures_and_removals_too() {
    let Some(mut server) = Running::start(&[]) else { return };
    let config = config(&url(&server));
    config.set_redis_whole_database(true);
    let parent = RedisCache::mice(config.clone(), Options::default(), &system(), None).unwrap();
    let child = RedisCache::mice(config.clone(), Options::default(), &cut(), Some(&parent)).unwrap();
    parent.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
    assert_eq!(child.get(&key(1)).unwrap().unwrap().origin, Origin::Parent);
    assert!(parent.remove(&key(1)).unwrap());
    assert!(child.get(&key(1)).unwrap().is_none() && parent.get(&key(1)).unwrap().is_none());
    parent.set_mice(&key(1), &record(b"payload")).unwrap().unwrap();
    let names = server.ask::<Vec<Vec<u8>>>("KEYS *");
    assert_eq!(names.len(), 1);
    let cache: Cache = RedisCache::redis(config.clone(), Options::default(), None).unwrap().into();
    cache.set(&names[0], b"damaged").unwrap().unwrap();
    assert!(child.get(&key(1)).unwrap().is_none() && parent.get(&key(1)).unwrap().is_none());
    assert_eq!(parent.stats().unwrap().damaged, 2);
    server.kill();
    assert!(child.get(&key(1)).unwrap().is_none());
    assert_eq!(cache.set(b"k", b"v").unwrap(), Err(Refusal::Server));
    assert!(cache.clear().is_err());
    let info = cache.info().unwrap();
    assert_eq!(info.size, 0);
}
