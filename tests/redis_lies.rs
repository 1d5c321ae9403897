//! Malicious or broken servers: an announced length allocates nothing, an endless answer is abandoned, an answer that
//! does not fit its command is rejected, and an echoed password is masked.
#![cfg(feature = "redis")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use liar::{Liar, Lie, say};
use phicache::cache::{Cache, Lease, Options, RedisCache, RemoteOptions, Waited};
use phicache::config::Config;
use phicache::error::Error;
use phicache::redis::{Backoff, Cause, Endpoint, Failure, Secret, Server, Store, Token};
use server::soon;

#[path = "redis/liar.rs"]
mod liar;
#[allow(dead_code)]
#[path = "redis/server.rs"]
mod server;

/// The bytes that a thread holds, and their maximum.
struct Counting;

thread_local!(static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) });

fn count(bytes: isize) {
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: everything is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peak of the bytes that `act` allocated in this thread.
fn peak<T>(act: impl FnOnce() -> T) -> (isize, T) {
    let before = HELD.get().0;
    HELD.set((before, before));
    let done = act();
    (HELD.get().1 - before, done)
}

const PLAIN: Store = Store { ttl: None, only_new: false };
const MIB: isize = 1 << 20;

/// A client with this timeout that retries at once.
fn client(url: &str, milliseconds: u64) -> Server {
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(1) };
    let timeout = Duration::from_millis(milliseconds);
    Server::new(Endpoint { timeout, backoff, ..server::endpoint(url) }).unwrap()
}

fn cache(url: &str, options: Options) -> Cache {
    let config = Config::new().unwrap();
    config.set_redis_url(url).unwrap();
    config.set_redis_timeout(Duration::from_secs(5)).unwrap();
    RedisCache::redis(config, options, None).unwrap().into()
}

fn strict() -> RemoteOptions {
    RemoteOptions { strict: true, no_checksum: true, ..RemoteOptions::default() }
}

#[test]
fn an_announced_length_allocates_nothing_before_the_bytes_arrive() {
    let liar = Liar::new(|words| match words[0] {
        b"MGET" => say("*2\r\n$536870912\r\nabc"),
        b"SCAN" => say("*2\r\n$1\r\n0\r\n*1\r\n$67000000\r\nabc"),
        _ => say("$536870912\r\nabc"),
    });
    let server = client(&liar.url(), 200);
    let (most, failure) = peak(|| server.get(b"key").unwrap_err());
    assert!(matches!(failure.cause, Cause::TimedOut { .. }), "{failure}");
    assert!(most < MIB, "{most} bytes");
    let (most, _) = peak(|| server.get_many(&[b"key", b"other"]).failure.unwrap());
    assert!(most < MIB, "{most} bytes");
    let (most, _) = peak(|| server.count_prefix(b"key", soon()).unwrap_err());
    assert!(most < MIB, "{most} bytes");
    // The same through a cache, which reads values into entries.
    let config = Config::new().unwrap();
    config.set_redis_url(&format!("{}?timeout_ms=200", liar.url())).unwrap();
    let strict = Options { remote: strict(), ..Options::default() };
    let cache: Cache = RedisCache::redis(config, strict, None).unwrap().into();
    let (most, error) = peak(|| cache.get(b"key").err().unwrap());
    assert!(matches!(error, Error::Redis(_)), "{error}");
    assert!(most < MIB, "{most} bytes");
}

#[test]
fn an_impossible_length_is_an_error_at_once() {
    for answer in
        ["$536870913\r\n", "$4611686018427387904\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"]
    {
        // It stays silent afterwards; its answer to a PING is as bad.
        let liar = Liar::new(move |_| say(answer));
        let server = client(&liar.url(), 60_000);
        let failures = [server.get(b"key").unwrap_err(), server.count_prefix(b"key", soon()).unwrap_err()];
        assert!(failures.iter().all(|failure| failure.is_outage()), "{failures:?}");
    }
}

#[test]
fn a_value_longer_than_max_bytes_is_skipped_and_the_others_are_found() {
    let long = "x".repeat(200_000);
    let answer = format!("*3\r\n$1\r\na\r\n$200000\r\n{long}\r\n$1\r\nb\r\n");
    let liar = Liar::new(move |words| match words[0] {
        b"MGET" => say(&answer),
        _ => say(format!("$200000\r\n{long}\r\n")),
    });
    // This server does not seal its values.
    let bare = RemoteOptions { no_checksum: true, ..strict() };
    let options = Options { max_bytes: Some(100_000), remote: bare, ..Options::default() };
    let short = cache(&liar.url(), options);
    let (most, found) = peak(|| short.get(b"key").unwrap());
    assert!(found.is_none() && most < MIB / 4, "{most} bytes");
    let mut found = Vec::new();
    let keys = [&b"1"[..], b"2", b"3"];
    short.get_many(keys.into_iter(), |at, value| found.push((at, value.entry.value().to_vec()))).unwrap();
    assert_eq!(found, [(0, b"a".to_vec()), (2, b"b".to_vec())]);
    let health = health(&short);
    assert_eq!((health.failures, health.connections, health.skipping), (2, 1, None));
    assert!(health.last_error.unwrap().contains("200000 bytes"));
    let long = cache(&liar.url(), Options { remote: bare, ..Options::default() });
    assert!(long.get(b"key").unwrap().is_some());
}

fn health(cache: &Cache) -> phicache::redis::Health {
    match cache {
        Cache::Redis(cache) => cache.health(),
        _ => unreachable!(),
    }
}

#[test]
fn a_scan_that_never_ends_is_abandoned_at_the_deadline() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let cursor = AtomicU64::new(0);
    let liar = Liar::new(move |words| match words[0] {
        b"SCAN" => {
            let cursor = cursor.fetch_add(1, Relaxed).to_string();
            say(format!("*2\r\n${}\r\n9{cursor}\r\n*1\r\n$17\r\nphicache/2:raw:{cursor:0>2.2}\r\n", cursor.len() + 1))
        }
        _ => say(":1\r\n"),
    });
    let time = Duration::from_millis(300);
    let scan = Some(time);
    let told = cache(&liar.url(), Options { remote: RemoteOptions { scan, ..strict() }, ..Options::default() });
    let began = Instant::now();
    for failed in [told.size().err(), told.info().err(), told.stats().err(), told.clear().err()] {
        let error = failed.unwrap().to_string();
        assert!(error.contains("SCAN") && error.contains("300 ms"), "{error}");
    }
    assert!(began.elapsed() >= 4 * time);
    assert!(liar.asked("SCAN") > 4);
    // The server is not considered down: it answers each step.
    assert_eq!((health(&told).failures, health(&told).skipping), (4, None));
    let remote = RemoteOptions { scan, ..RemoteOptions::default() };
    let untold = cache(&liar.url(), Options { remote, ..Options::default() });
    assert_eq!(untold.size().unwrap(), 0);
    assert!(untold.clear().is_err());
}

#[test]
fn a_repeated_cursor_ends_a_scan() {
    for period in [1, 2, 3, 10] {
        let liar = Liar::new(move |words| match words[0] {
            b"SCAN" => {
                let cursor: u64 = std::str::from_utf8(words[1]).unwrap().parse().unwrap();
                say(format!("*2\r\n$2\r\n{}\r\n*0\r\n", 10 + (cursor + 1) % period))
            }
            _ => say(":1\r\n"),
        });
        let scan = Some(Duration::from_secs(3600));
        let told = cache(&liar.url(), Options { remote: RemoteOptions { scan, ..strict() }, ..Options::default() });
        for error in [told.size().unwrap_err(), told.clear().unwrap_err()] {
            assert!(error.to_string().contains("twice"), "{error}");
        }
        assert!(liar.asked("SCAN") as u64 <= 8 * (period + 1), "{} for {period}", liar.asked("SCAN"));
    }
}

/// A failure in all forms in which it can be printed.
fn printed(server: &Server, failure: &Failure) -> String {
    let error = Error::from(failure.clone());
    format!("{failure} {failure:?} {error} {error:?} {:?} {:?}", server.health(), server.endpoint())
}

#[test]
fn a_login_that_the_server_echoes_is_never_repeated() {
    let long = "k3Y!".repeat(500);
    let passwords = [
        "q9w8e7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2l1z0x9c8v7b6",
        "Q\"uote'd\\Xj7",
        "Jx\nJy\r\nJz",
        "Zürich→鍵Qqz",
        "J0%41%zz%%Vv",
        "JqJqJqJqJqJq",
        &long,
    ];
    type Echo = fn(&[u8]) -> Vec<u8>;
    let echoes: [Echo; 12] = [
        |p| [b"HELLO AUTH me ", p, b"\r\n"].concat(),
        |p| [b"+", &[b'x'; 26][..], p, b"\r\n"].concat(),
        |p| [b"+", p, b"\r\n"].concat(),
        |p| [b"-", p, b"\r\n"].concat(),
        |p| [b"-ERR unknown command 'AUTH', with args beginning with: 'me' '", p, b"' \r\n"].concat(),
        |p| [b"-ERR '", &p[..p.len() * 3 / 8], b"\r\n"].concat(),
        |p| format!("-ERR bad \"{}\"\r\n", p.escape_ascii()).into_bytes(),
        |p| {
            [b"-ERR ".to_vec(), p.iter().flat_map(|b| format!("%{b:02X}").into_bytes()).collect(), b"\r\n".to_vec()]
                .concat()
        },
        |p| [b"-MOVED 1 ", p, b":1\r\n"].concat(),
        |p| [b"$0\r\n", p, b"\r\n"].concat(),
        |p| [b"$", p, b"\r\n"].concat(),
        |p| [&[b'x'; 65_530][..], p, b"\r\n"].concat(),
    ];
    for password in passwords {
        for (number, echo) in echoes.into_iter().enumerate() {
            for at_login in [true, false] {
                let secret = password.as_bytes().to_vec();
                let liar = Liar::new(move |words| match words[0] {
                    b"AUTH" if !at_login => say("+OK\r\n"),
                    _ => say(echo(&secret)),
                });
                let cluster = if number == 8 && !at_login { "?cluster=yes" } else { "" };
                let endpoint = server::endpoint(&format!("{}{cluster}", liar.url()));
                let login = Endpoint { user: Some("me".into()), password: Some(Secret::new(password)), ..endpoint };
                let server = Server::new(login).unwrap();
                let failure = server.get(b"key").unwrap_err();
                let text = printed(&server, &failure);
                for run in password.as_bytes().windows(4.min(password.len())) {
                    let shown = text.as_bytes().windows(run.len()).any(|shown| shown == run);
                    assert!(!shown, "{:?} of {password:?}, echo {number}: {text}", run.escape_ascii().to_string());
                }
            }
        }
    }
}

#[test]
fn a_refusal_is_counted_and_its_message_says_what_to_do() {
    for (refusal, told) in [
        ("MOVED 1 127.0.0.1:7000", "cluster=yes"),
        ("ASK 1 127.0.0.1:7000", "cluster=yes"),
        ("NOAUTH Authentication required.", "password"),
        ("WRONGPASS invalid", "the user or the password is wrong"),
        ("NOPERM User x has no permissions", "docs/redis.md"),
        ("READONLY You can't write against a read only replica.", "primary"),
        ("LOADING Redis is loading the dataset in memory", "wait"),
        ("MASTERDOWN Link with MASTER is down", "lost its primary"),
        ("CLUSTERDOWN Hash slot not served", "CLUSTER INFO"),
        ("OOM command not allowed", "maxmemory"),
        ("BUSY Redis is busy running a script.", "SCRIPT KILL"),
        ("MISCONF Redis is configured to save", "disk"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "wait"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "cluster=yes"),
        ("WRONGTYPE Operation against a key", "namespace"),
        ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
        ("DENIED Redis is running in protected mode", "protected mode"),
        ("ERR unknown command", "unknown command"),
        ("SOMETHING new", "SOMETHING new"),
    ] {
        let liar = Liar::new(move |_| say(format!("-{refusal}\r\n")));
        let server = client(&liar.url(), 5000);
        type Ask = fn(&Server) -> Option<Failure>;
        let asks: [Ask; 8] = [
            |server| server.get(b"key").err(),
            |server| server.set(b"key", b"value", PLAIN).err(),
            |server| server.exists(b"key").err(),
            |server| server.remove(b"key").err(),
            |server| server.get_many(&[b"key"]).failure,
            |server| server.set_many(&[(b"key", b"value")], PLAIN).1,
            |server| server.count_prefix(b"key", soon()).err(),
            |server| server.ping(Duration::from_secs(5)).err(),
        ];
        for (number, ask) in asks.into_iter().enumerate() {
            let failure = ask(&server).unwrap();
            let code = refusal.split(' ').next().unwrap();
            assert!(matches!(&failure.cause, Cause::Refused { code: told, .. } if told == code), "{failure:?}");
            let health = server.health();
            assert_eq!((health.refusals, health.failures, health.connections), (number as u64 + 1, 0, 1), "{refusal}");
            // A C program's buffer for a message has 256 bytes.
            let text = health.last_error.unwrap();
            assert!(text[..text.len().min(255)].contains(told), "{text}");
        }
        // A refused login says so too.
        let login = client(&liar.url().replace("://", "://x:secret-Qz@"), 5000);
        let failure = login.get(b"key").unwrap_err();
        assert!(matches!(&failure.cause, Cause::Unreachable(why) if why.contains(told)), "{failure}");
    }
}

/// A cluster map in which one node has all slots.
fn whole_map(port: u16) -> Lie {
    say(format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n"))
}

#[test]
fn nodes_that_redirect_to_each_other_are_not_followed_forever() {
    for answer in ["MOVED", "ASK"] {
        let liar = Liar::at_its_port(move |port, words| match words[0] {
            b"CLUSTER" => whole_map(port),
            b"ASKING" => say("+OK\r\n"),
            _ => say(format!("-{answer} 1 127.0.0.1:{port}\r\n")),
        });
        let server = client(&format!("{}?cluster=yes", liar.url()), 5000);
        for number in 1..=3 {
            let failure = server.get(b"key").unwrap_err();
            assert!(matches!(&failure.cause, Cause::Elsewhere { .. }), "{failure}");
            let health = server.health();
            assert_eq!((health.refusals, health.failures), (number, 0));
            assert!(health.last_error.unwrap().contains("redirect to each other"));
            assert!(liar.asked("GET") <= 6 * number as usize);
        }
        assert!(!server.get_many(&[b"key"]).failure.unwrap().is_outage());
        assert!(server.health().refusals > 3);
    }
}

#[test]
fn an_answer_to_asking_other_than_ok_is_an_error() {
    let liar = Liar::at_its_port(move |port, words| match words[0] {
        b"CLUSTER" => whole_map(port),
        b"ASKING" => say("$-1\r\n"),
        b"GET" => say(format!("-ASK 1 127.0.0.1:{port}\r\n")),
        _ => say("+PONG\r\n"),
    });
    let server = client(&format!("{}?cluster=yes", liar.url()), 5000);
    assert!(matches!(server.get(b"key").unwrap_err().cause, Cause::Lost(_)));
}

#[test]
fn an_invalid_cluster_map_is_rejected() {
    let range = |first, port| format!("*3\r\n:{first}\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
    let map = move |ranges: usize, port| say(format!("*{ranges}\r\n{}", range(0, port).repeat(ranges)));
    let maps: [Box<dyn Fn(u16) -> Lie + Send + Sync>; 8] = [
        // More ranges than there are slots.
        Box::new(move |port| map(16_385, port)),
        Box::new(move |port| say(format!("*1\r\n{}", range(16_384, port)))),
        Box::new(move |port| say(format!("*1\r\n{}", range(-1, port)))),
        Box::new(|_| say("*0\r\n")),
        Box::new(|_| say("*-1\r\n")),
        Box::new(|_| say("+OK\r\n")),
        Box::new(|_| say(":1\r\n")),
        Box::new(|_| say("*1\r\n$1\r\nx\r\n")),
    ];
    for (number, lie) in maps.into_iter().enumerate() {
        let liar = Liar::at_its_port(move |port, words| match words[0] {
            b"CLUSTER" => lie(port),
            b"PING" => say("+PONG\r\n"),
            _ => say("$5\r\nvalue\r\n"),
        });
        assert!(client(&format!("{}?cluster=yes", liar.url()), 5000).get(b"key").is_err(), "map {number}");
    }
    let liar = Liar::at_its_port(move |port, words| match words[0] {
        b"CLUSTER" => map(16_384, port),
        _ => say("$5\r\nvalue\r\n"),
    });
    assert!(client(&format!("{}?cluster=yes", liar.url()), 60_000).get(b"key").unwrap().is_some());
}

#[test]
fn an_answer_that_does_not_fit_its_command_is_rejected() {
    type Ask = fn(&Server) -> Option<Failure>;
    let asks: [(&str, Ask, &[&str]); 16] = [
        ("GET", |s| s.get(b"key").err(), &["$5\r\nvalue\r\n", "$-1\r\n"]),
        ("MGET", |s| s.get_many(&[b"key"]).failure, &["*1\r\n$1\r\nx\r\n", "*1\r\n$-1\r\n"]),
        ("SET", |s| s.set(b"key", b"value", PLAIN).err(), &["+OK\r\n"]),
        ("SET NX", |s| s.acquire(b"key", &Token::new(), Duration::from_secs(1)).err(), &["+OK\r\n", "$-1\r\n"]),
        ("MSET", |s| s.set_many(&[(b"key", b"value")], PLAIN).1, &["+OK\r\n"]),
        (
            "SETs",
            |s| s.set_many(&[(b"key", b"value")], Store { ttl: Some(Duration::from_secs(1)), only_new: false }).1,
            &["+OK\r\n"],
        ),
        ("EXISTS", |s| s.exists(b"key").err(), &[":0\r\n", ":1\r\n"]),
        ("UNLINK", |s| s.remove(b"key").err(), &[":0\r\n", ":1\r\n"]),
        ("EVAL release", |s| s.release(b"key", &Token::new()).err(), &[":0\r\n", ":1\r\n"]),
        ("EVAL complete", |s| s.complete(b"key", &Token::new(), b"k", b"v", None).err(), &[":0\r\n", ":1\r\n"]),
        ("SCAN", |s| s.count_prefix(b"key", soon()).err(), &["*2\r\n$1\r\n0\r\n*0\r\n"]),
        ("DBSIZE", |s| s.database_size().err(), &[":0\r\n", ":1\r\n", ":7\r\n"]),
        ("FLUSHDB", |s| s.flush_database().err(), &["+OK\r\n"]),
        ("CONFIG", |s| s.reset_statistics().err(), &["+OK\r\n"]),
        ("INFO", |s| s.statistics().err(), &["$34\r\nkeyspace_hits:1\r\nkeyspace_misses:2\r\n"]),
        ("PING", |s| s.ping(Duration::from_secs(5)).err(), &["+PONG\r\n"]),
    ];
    let answers = [
        "+OK\r\n",
        "+PONG\r\n",
        "+QUEUED\r\n",
        "$2\r\nOK\r\n",
        "$-1\r\n",
        "*-1\r\n",
        ":0\r\n",
        ":1\r\n",
        ":7\r\n",
        ":-1\r\n",
        "$5\r\nvalue\r\n",
        "*0\r\n",
        "*1\r\n$1\r\nx\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n:1\r\n",
        "*2\r\n$1\r\n0\r\n*0\r\n",
        "*2\r\n$1\r\n0\r\n*1\r\n$-1\r\n",
        "*2\r\n$2\r\n-1\r\n*0\r\n",
        "*2\r\n$1\r\nx\r\n$1\r\ny\r\n",
        "$20\r\nkeyspace_hits:many\r\n\r\n",
        "$34\r\nkeyspace_hits:1\r\nkeyspace_misses:2\r\n",
        "_\r\n",
        "#t\r\n",
        "%0\r\n",
        "=6\r\ntxt:OK\r\n",
    ];
    for (name, ask, right) in asks {
        for answer in answers {
            let liar = Liar::new(move |_| say(answer));
            let server = client(&liar.url(), 5000);
            let is_string = answer.starts_with('$') && name == "GET";
            match ask(&server) {
                None => assert!(right.contains(&answer) || is_string, "{name}: {answer:?} was accepted"),
                Some(failure) => {
                    assert!(!right.contains(&answer) && !is_string, "{name}: {answer:?}: {failure}");
                    assert!(matches!(failure.cause, Cause::Lost(_)), "{name}: {answer:?}: {failure}");
                }
            }
        }
    }
    // Any answer to a login but OK is rejected.
    for answer in ["$-1\r\n", ":1\r\n", "+QUEUED\r\n", "*0\r\n"] {
        let liar = Liar::new(move |words| match words[0] {
            b"AUTH" => say(answer),
            _ => say("$5\r\nvalue\r\n"),
        });
        let server = client(&liar.url().replace("://", "://me:secret@"), 5000);
        assert!(matches!(server.get(b"key").unwrap_err().cause, Cause::Lost(_)), "{answer:?}");
    }
    // The server cannot have removed more keys than were sent.
    let liar = Liar::new(move |words| match words[0] {
        b"SCAN" => say("*2\r\n$1\r\n0\r\n*2\r\n$4\r\nkey1\r\n$4\r\nkey2\r\n"),
        _ => say(":3\r\n"),
    });
    assert!(client(&liar.url(), 5000).remove_prefix(b"key", soon()).is_err());
}

#[test]
fn a_key_that_makes_the_server_close_does_not_stop_other_keys() {
    for bad in [|| Lie::Close, || say("$5\r\nvalue?!"), || say("HTTP/1.1 500\r\n\r\n")] {
        let liar = Liar::new(move |words| match words {
            [b"PING"] => say("+PONG\r\n"),
            [_, b"bad", ..] => bad(),
            [b"SET", ..] => say("+OK\r\n"),
            _ => say("$5\r\nvalue\r\n"),
        });
        let backoff = Backoff { first: Duration::from_secs(100), longest: Duration::from_secs(100) };
        let server = Server::new(Endpoint { backoff, ..server::endpoint(&liar.url()) }).unwrap();
        for number in 1..=3 {
            let failure = server.get(b"bad").unwrap_err();
            assert!(matches!(failure.cause, Cause::Lost(_)), "{failure}");
            assert_eq!((server.health().failures, server.health().skipping), (2 * number - 1, None));
            assert_eq!(server.get(b"good").unwrap().unwrap(), b"value");
            assert!(server.set(b"bad", b"value", PLAIN).is_err());
            assert!(server.set(b"good", b"value", PLAIN).unwrap());
        }
    }
    // A server that does not answer a PING is skipped, and the deadline is still that of the operation.
    for no_pong in [|| Lie::Silence, || Lie::Close, || say(":1\r\n")] {
        let liar = Liar::new(move |words| if words[0] == b"PING" { no_pong() } else { Lie::Close });
        let backoff = Backoff { first: Duration::from_secs(100), longest: Duration::from_secs(100) };
        let timeout = Duration::from_secs(1);
        let server = Server::new(Endpoint { backoff, timeout, ..server::endpoint(&liar.url()) }).unwrap();
        let began = Instant::now();
        assert!(matches!(server.get(b"bad").unwrap_err().cause, Cause::Lost(_)));
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(matches!(server.get(b"good").unwrap_err().cause, Cause::Skipped { .. }));
        assert_eq!(liar.asked("PING"), 1);
    }
}

#[test]
fn threads_that_wait_for_another_process_ask_rarely_even_if_they_are_many() {
    // Another process has every lease, and no value comes.
    let liar = Liar::new(|words| match words[0] {
        b"EXISTS" => say(":1\r\n"),
        _ => say("$-1\r\n"),
    });
    let lease = Some(Duration::from_secs(3600));
    let remote = RemoteOptions { lease, ..RemoteOptions::default() };
    let cache = cache(&liar.url(), Options { remote, ..Options::default() });
    let wait = |time| assert!(matches!(Lease::wait(&cache, b"key", 0, time).unwrap(), Waited::TimeOut));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..64 {
            scope.spawn(move || match number % 2 {
                0 => wait(Duration::from_secs(2)),
                _ => {
                    while began.elapsed() < Duration::from_secs(2) {
                        wait(Duration::from_millis(10));
                    }
                }
            });
        }
    });
    // Two commands for each poll; the number of polls grows with the logarithm of the time, which is longer on a busy
    // machine.
    let asked = liar.asked_at_all();
    let most = 2.0 * (20.0 + 12.0 * (began.elapsed().as_secs_f64() / 0.4).ln());
    assert!((asked as f64) < most, "{asked} questions, expected at most {most}");
}
