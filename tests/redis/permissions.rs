//! The commands that a user needs, and what works without some of them.

use std::time::Duration;

use phicache::redis::{Cause, Server, Store, Token};

use super::server::{Running, connect, soon};

const PLAIN: Store = Store { ttl: None, only_new: false };
const LONG: Duration = Duration::from_secs(100);

/// The commands that `docs/redis.md` lists: for caches in a namespace, and in addition for the whole-database mode.
const LISTED: [&str; 9] = ["get", "mget", "set", "mset", "exists", "unlink", "scan", "eval", "ping"];
const LISTED_WHOLE: [&str; 4] = ["dbsize", "flushdb", "info", "config|resetstat"];

/// A server, and the client of a user with these commands.
fn allowed(commands: &[&str]) -> Option<(Running, Server)> {
    let commands: Vec<String> = commands.iter().map(|command| format!("+{command}")).collect();
    let mut options = vec!["--user", "me", "on", ">open sesame", "~phicache*", "resetchannels", "-@all"];
    options.extend(commands.iter().map(String::as_str));
    let running = Running::start(&options)?;
    let server = connect(&running.url().replace("://", "://me:open%20sesame@"));
    Some((running, server))
}

/// Runs all operations and returns the names of those that were refused.
fn refused(server: &Server) -> Vec<&'static str> {
    let (token, lease) = (Token::new(), &b"phicache!lease:k"[..]);
    let mut refused = Vec::new();
    let mut note = |name, failure: Option<phicache::redis::Failure>| {
        if let Some(failure) = failure {
            assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "NOPERM"), "{failure}");
            refused.push(name);
        }
    };
    note("set", server.set(b"phicache:k", b"v", PLAIN).err());
    note("set", server.set(b"phicache:k", b"v", Store { ttl: Some(LONG), only_new: false }).err());
    note("get", server.get(b"phicache:k").err());
    note("mset", server.set_many(&[(b"phicache:k", b"v")], PLAIN).1);
    note("mget", server.get_many(&[b"phicache:k"]).failure);
    note("exists", server.exists(b"phicache:k").err());
    note("lease", server.acquire(lease, &token, LONG).err());
    note("release", server.release(lease, &token).err());
    note("lease", server.acquire(lease, &token, LONG).err());
    note("complete", server.complete(lease, &token, b"phicache:k", b"v", None).err());
    note("size", server.count_prefix(b"phicache", soon()).err());
    note("clear", server.remove_prefix(b"phicache", soon()).err());
    note("remove", server.remove(b"phicache:k").err());
    note("ping", server.ping(Duration::from_secs(5)).err());
    refused
}

#[test]
fn the_documentation_lists_these_commands() {
    let page = include_str!("../../docs/redis.md");
    let listed = |start: &str| -> Vec<&str> {
        let line = page.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
        line.split(" +").skip(1).collect()
    };
    assert_eq!(listed("ACL SETUSER worker on >password ~phicache* -@all "), LISTED);
    assert_eq!(listed("ACL SETUSER worker +"), LISTED_WHOLE);
}

#[test]
fn the_documented_commands_suffice_and_a_forbidden_one_disables_only_what_needs_it() {
    let Some((_running, server)) = allowed(&LISTED) else { return };
    assert_eq!(refused(&server), [""; 0]);
    assert_eq!(server.health().refusals, 0);
    for (missing, expected) in [
        ("get", &["get", "release", "complete"][..]),
        ("set", &["set", "set", "lease", "lease"]),
        ("mget", &["mget"]),
        ("mset", &["mset"]),
        ("exists", &["exists"]),
        ("unlink", &["clear", "remove"]),
        ("scan", &["size", "clear"]),
        ("eval", &[]),
        ("ping", &["ping"]),
    ] {
        let others: Vec<&str> = LISTED.into_iter().filter(|command| *command != missing).collect();
        let (running, server) = allowed(&others).unwrap();
        let mut refused = refused(&server);
        if missing == "get" {
            // Without scripts no lease is compared, and the user that scripts run as depends on the server.
            refused.retain(|name| !["release", "complete"].contains(name));
        }
        let expected: Vec<&str> =
            expected.iter().filter(|name| !["release", "complete"].contains(name)).copied().collect();
        assert_eq!(refused, expected, "without {missing}");
        let health = server.health();
        assert_eq!((health.failures, health.skipping), (0, None), "without {missing}");
        assert!(health.refusals > 0, "that {missing} is forbidden is counted");
        drop(running);
    }
}

#[test]
fn the_whole_database_mode_needs_four_more_commands() {
    let Some((_running, server)) = allowed(&[&LISTED[..], &LISTED_WHOLE].concat()) else { return };
    server.flush_database().unwrap();
    server.reset_statistics().unwrap();
    assert_eq!(server.database_size().unwrap(), 0);
    server.statistics().unwrap();
    let (_running, server) = allowed(&LISTED).unwrap();
    let failures = [
        server.flush_database().unwrap_err(),
        server.reset_statistics().unwrap_err(),
        server.database_size().unwrap_err(),
        server.statistics().unwrap_err(),
    ];
    assert!(failures.iter().all(|failure| failure.to_string().contains("NOPERM")), "{failures:?}");
}

#[test]
fn a_lease_is_released_and_a_value_stored_by_any_allowed_command() {
    let without =
        |missing: &[&str]| -> Vec<&str> { LISTED.into_iter().filter(|command| !missing.contains(command)).collect() };
    let (token, other, lease, key) = (Token::new(), Token::new(), &b"phicache!lease:k"[..], &b"phicache:k"[..]);
    for missing in [&["eval"][..], &["unlink"], &["eval", "unlink"]] {
        let Some((running, server)) = allowed(&without(missing)) else { return };
        for _ in 0..2 {
            assert!(server.acquire(lease, &token, LONG).unwrap());
            assert!(!server.release(lease, &other).unwrap());
            assert!(!server.complete(lease, &other, key, b"late", None).unwrap());
            assert!(!server.acquire(lease, &other, LONG).unwrap(), "somebody has it");
            assert!(server.complete(lease, &token, key, b"value", Some(LONG)).unwrap());
            assert_eq!(server.get(key).unwrap().unwrap(), b"value");
            assert!(running.ask::<i64>("PTTL phicache:k") > 0);
            super::server::eventually("the lease is free", || server.acquire(lease, &token, LONG).unwrap());
            assert!(server.release(lease, &token).unwrap());
            super::server::eventually("the lease is free", || server.acquire(lease, &other, LONG).unwrap());
            assert!(server.release(lease, &other).unwrap());
            super::server::eventually("it is gone", || running.ask::<u64>("EXISTS phicache!lease:k") == 0);
        }
        // Each connection tries it once and is refused once.
        let health = server.health();
        assert_eq!(health.failures, 0);
        assert!(health.last_error.is_some_and(|text| text.contains("EVAL")));
    }
}

#[test]
fn leases_work_at_a_server_without_scripts() {
    let Some(running) = Running::start(&["--rename-command", "EVAL", ""]) else { return };
    let (server, token) = (connect(&running.url()), Token::new());
    assert!(server.acquire(b"lease", &token, LONG).unwrap());
    assert!(server.complete(b"lease", &token, b"k", b"value", None).unwrap());
    assert_eq!(server.get(b"k").unwrap().unwrap(), b"value");
    assert!(server.acquire(b"lease", &token, LONG).unwrap());
    assert!(server.release(b"lease", &token).unwrap());
    assert!(!server.exists(b"lease").unwrap());
    // The server is full: it refuses the value, and the lease is released nevertheless.
    assert!(server.acquire(b"lease", &token, LONG).unwrap());
    let _: () = running.ask("CONFIG SET maxmemory 1");
    let failure = server.complete(b"lease", &token, b"k", b"value", None).unwrap_err();
    assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "OOM"), "{failure}");
    assert!(server.release(b"lease", &token).unwrap());
    assert!(!server.exists(b"lease").unwrap());
}
