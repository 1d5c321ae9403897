//! Clusters: keys that move between nodes, and nodes that die.

use std::time::{Duration, Instant};

use phicache::redis::{Cause, Endpoint, Server, Store, Token};

use super::cluster::Cluster;
use super::server::{Running, connect, endpoint, eventually, soon};

const PLAIN: Store = Store { ttl: None, only_new: false };
const SLACK: Duration = Duration::from_secs(20);

fn keys(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("key:{number}").into_bytes()).collect()
}

fn pairs(keys: &[Vec<u8>]) -> Vec<(&[u8], &[u8])> {
    keys.iter().map(|key| (key.as_slice(), key.as_slice())).collect()
}

fn slices(keys: &[Vec<u8>]) -> Vec<&[u8]> {
    keys.iter().map(Vec::as_slice).collect()
}

#[test]
fn a_cluster_looks_like_one_server() {
    let Some(cluster) = Cluster::start() else { return };
    for server in [cluster.connect(true), cluster.connect(false)] {
        let keys = keys(300);
        assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());
        for key in &keys {
            assert_eq!(&server.get(key).unwrap().unwrap(), key);
        }
        let batch = server.get_many(&[&slices(&keys)[..], &[b"none"]].concat());
        assert!(batch.failure.is_none());
        assert!(batch.values.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key)));
        assert_eq!(batch.values[300], None);
        assert_eq!((server.database_size().unwrap(), server.count_prefix(b"key:", soon()).unwrap()), (300, 300));
        assert_eq!(server.remove_prefix(b"key:1", soon()).unwrap(), 111);
        assert_eq!((server.database_size().unwrap(), server.count_prefix(b"", soon()).unwrap()), (189, 189));
        server.reset_statistics().unwrap();
        keys.iter().for_each(|key| drop(server.get(key).unwrap()));
        let counted = server.statistics().unwrap();
        assert_eq!((counted.hits, counted.misses), (189, 111));
        server.ping(Duration::from_secs(5)).unwrap();
        server.flush_database().unwrap();
        assert_eq!(server.database_size().unwrap(), 0);
        // One connection to each node, and no key was requested at the wrong one.
        let health = server.health();
        assert_eq!((health.connections, health.failures, health.refusals), (3, 0, 0));
    }
    assert!(cluster.0.iter().all(|node| node.calls("keys") == 0));
    // A URL that does not say that it is a cluster: most keys are at other nodes.
    let plain = connect(&cluster.url(false).replace("?cluster=yes", ""));
    let failure = keys(20).iter().find_map(|key| plain.get(key).err()).unwrap().to_string();
    assert!(failure.contains("add cluster=yes to the URL"), "{failure}");
    let health = plain.health();
    assert!(health.refusals == 1 && health.failures == 0, "{health:?}");
    assert_eq!(health.last_error, Some(failure));
}

#[test]
fn the_keys_of_one_subsystem_are_one_round_trip() {
    let Some(cluster) = Cluster::start() else { return };
    let server = cluster.connect(true);
    let keys: Vec<Vec<u8>> = (0..100).map(|number| format!("ns:{{subsystem}}:{number}").into_bytes()).collect();
    assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());
    cluster.0.iter().for_each(|node| node.ask("CONFIG RESETSTAT"));
    assert!(server.get_many(&slices(&keys)).values.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key)));
    assert_eq!(cluster.0.iter().map(|node| node.calls("mget")).sum::<u64>(), 1);

    let (first, second) = (Token::new(), Token::new());
    let long = Duration::from_secs(100);
    assert!(server.acquire(b"ns:{subsystem}:lease", &first, long).unwrap());
    assert!(!server.acquire(b"ns:{subsystem}:lease", &second, long).unwrap());
    assert!(!server.complete(b"ns:{subsystem}:lease", &second, b"ns:{subsystem}:key", b"late", None).unwrap());
    assert!(server.complete(b"ns:{subsystem}:lease", &first, b"ns:{subsystem}:key", b"value", None).unwrap());
    assert_eq!(server.get(b"ns:{subsystem}:key").unwrap().unwrap(), b"value");
}

#[test]
fn keys_are_found_while_they_move_and_after() {
    let Some(cluster) = Cluster::start() else { return };
    let [from, to, other] = &cluster.0;
    let server = cluster.connect(true);
    // A slot of the first node.
    let slot: u16 = from.ask("CLUSTER KEYSLOT {user1000}");
    assert_eq!(slot, 3443);
    let keys: Vec<Vec<u8>> = (0..40).map(|number| format!("{{user1000}}:{number}").into_bytes()).collect();
    assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());

    let (from_id, to_id): (String, String) = (from.ask("CLUSTER MYID"), to.ask("CLUSTER MYID"));
    let _: () = to.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"));
    let _: () = from.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"));
    for key in &keys[..20] {
        let key = std::str::from_utf8(key).unwrap();
        let _: resp::Value = from.ask(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port));
    }
    // Each node has half of the keys, and the slot belongs to the first node.
    for key in &keys {
        assert_eq!(&server.get(key).unwrap().unwrap(), key);
    }
    assert_eq!(server.get(b"{user1000}:none").unwrap(), None);
    assert!(server.set(b"{user1000}:new", b"new", PLAIN).unwrap());
    for some in [&keys[20..], &keys[..20], &keys] {
        let batch = server.get_many(&slices(some));
        assert!(batch.failure.is_none(), "{:?}", batch.failure);
        assert!(batch.values.iter().zip(some).all(|(value, key)| value.as_ref() == Some(key)));
    }
    assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());

    for key in &keys[20..] {
        let key = std::str::from_utf8(key).unwrap();
        let _: resp::Value = from.ask(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port));
    }
    for node in [to, from, other] {
        let _: () = node.ask(&format!("CLUSTER SETSLOT {slot} NODE {to_id}"));
    }
    let batch = server.get_many(&slices(&keys));
    assert!(batch.failure.is_none(), "{:?}", batch.failure);
    assert!(batch.values.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key)));
    for key in &keys {
        assert_eq!(&server.get(key).unwrap().unwrap(), key);
    }
    assert_eq!(server.get(b"{user1000}:new").unwrap().unwrap(), b"new");
    assert_eq!(server.remove_prefix(b"{user1000}", soon()).unwrap(), 41);
}

/// Which of the keys are at nodes other than the third.
fn elsewhere(cluster: &Cluster, keys: &[Vec<u8>]) -> Vec<bool> {
    let slot = |key: &Vec<u8>| cluster.0[0].ask::<u16>(&format!("CLUSTER KEYSLOT {}", String::from_utf8_lossy(key)));
    keys.iter().map(|key| slot(key) < 10923).collect()
}

#[test]
fn a_frozen_node_makes_only_its_own_keys_unavailable() {
    let Some(cluster) = Cluster::start() else { return };
    let timeout = Duration::from_secs(1);
    let server = Server::new(Endpoint { timeout, ..cluster.endpoint(true) }).unwrap();
    let keys = keys(300);
    assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());
    let elsewhere = elsewhere(&cluster, &keys);
    let (at_third, _) = keys.iter().zip(&elsewhere).find(|(_, elsewhere)| !**elsewhere).unwrap();
    // A client whose first address is a frozen node gets the cluster map from the others, in time.
    cluster.0[0].freeze();
    let began = Instant::now();
    assert_eq!(&cluster.connect(true).get(at_third).unwrap().unwrap(), at_third);
    assert!(began.elapsed() < SLACK);
    cluster.0[0].thaw();
    // The order in which the nodes are asked is random.
    for _ in 0..5 {
        cluster.0[2].freeze();
        let began = Instant::now();
        let batch = server.get_many(&slices(&keys));
        let failure = batch.failure.unwrap();
        assert!(began.elapsed() < timeout + SLACK, "{:?}", began.elapsed());
        // The answers of the other nodes are read in any order of the nodes.
        for ((value, key), elsewhere) in batch.values.iter().zip(&keys).zip(&elsewhere) {
            assert_eq!(value.as_ref(), elsewhere.then_some(key));
        }
        assert!(matches!(failure.cause, Cause::TimedOut { .. }), "{failure}");
        assert!(failure.to_string().contains(&cluster.0[2].port.to_string()), "{failure}");

        // From now on it is skipped, and the others answer.
        let batch = server.get_many(&slices(&keys));
        assert!(batch.failure.unwrap().is_outage());
        for ((value, key), elsewhere) in batch.values.iter().zip(&keys).zip(&elsewhere) {
            assert_eq!(value.as_ref(), elsewhere.then_some(key));
            if *elsewhere {
                assert_eq!(&server.get(key).unwrap().unwrap(), key);
            }
        }
        cluster.0[2].thaw();
        eventually("it is found again", || server.get_many(&slices(&keys)).failure.is_none());
        // The same for stores, which return the failure.
        cluster.0[2].freeze();
        let (stored, failure) = server.set_many(&pairs(&keys), PLAIN);
        assert!(matches!(failure.unwrap().cause, Cause::TimedOut { .. }));
        assert_eq!(stored, elsewhere);
        cluster.0[2].thaw();
        eventually("it is found again", || server.get_many(&slices(&keys)).failure.is_none());
    }
    assert!(server.get_many(&slices(&keys)).values.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key)));
}

#[test]
fn a_replaced_node_is_found_at_its_new_address() {
    let Some(mut cluster) = Cluster::start() else { return };
    let server = cluster.connect(true);
    let keys = keys(100);
    assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());
    // The first node dies, and its slots move to the second, as an operator would do it.
    let dead: String = cluster.0[0].ask("CLUSTER MYID");
    cluster.0[0].kill();
    let lost: Vec<_> = keys.iter().filter(|key| server.get(key).is_err()).collect();
    assert!(lost.len() > 10, "{lost:?}");
    for node in &cluster.0[1..] {
        let _: () = node.ask(&format!("CLUSTER FORGET {dead}"));
    }
    let _: () = cluster.0[1].ask("CLUSTER ADDSLOTSRANGE 0 5460");
    let info = || cluster.0[1].ask::<String>("CLUSTER INFO");
    eventually("the second serves all", || info().contains("state:ok") && info().contains("slots_assigned:16384"));
    // Long enough for the map to be requested again: then the first operation finds the node.
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(server.get(lost[0]).unwrap(), None);
    assert!(server.set_many(&pairs(&keys), PLAIN).1.is_none());
    assert!(server.get_many(&slices(&keys)).values.iter().zip(&keys).all(|(value, key)| value.as_ref() == Some(key)));
}

#[test]
fn a_server_that_is_no_cluster_says_so() {
    let Some(running) = Running::start(&[]) else { return };
    let server = Server::new(endpoint(&format!("{}?cluster=yes", running.url()))).unwrap();
    let failure = server.get(b"key").unwrap_err();
    assert!(failure.to_string().contains("cluster support disabled"), "{failure}");
}
