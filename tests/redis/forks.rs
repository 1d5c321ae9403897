//! Forks: parent and child continue with the same server. Signals: the library raises none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use phicache::redis::{Server, Store};

use super::proxy::Proxy;
use super::server::{Running, both_ways, connect, rounds};

const PLAIN: Store = Store { ttl: None, only_new: false };

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

/// Whether a child exited with success.
fn ended_well(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: it waits for a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(libc::WTERMSIG(status), 0, "a signal ended it");
    status == 0
}

/// Whether values that this process stores are read back.
fn works(server: &Server, who: u32, times: u32) -> bool {
    (0..times).all(|number| {
        let key = [who.to_le_bytes(), (number % 7).to_le_bytes()].concat();
        let value = [&key[..], &number.to_le_bytes()].concat().repeat(20);
        server.set(&key, &value, PLAIN).is_ok_and(|stored| stored)
            && server.get(&key).is_ok_and(|found| found.as_ref() == Some(&value))
            && server.get_many(&[b"none", &key]).values == [None, Some(value)]
    })
}

#[test]
fn parent_and_child_continue_with_connections_of_their_own() {
    let Some(running) = Running::start(&[]) else { return };
    for server in both_ways(&running) {
        assert!(works(&server, 0, 10));
        let children: Vec<_> = (1..4)
            .map(|who| {
                let server = &server;
                fork(move || works(server, who, 200) && server.health().connections == 2)
            })
            .collect();
        assert!(works(&server, 0, 200));
        assert!(children.into_iter().all(ended_well));
        assert!(works(&server, 0, 10));
        assert_eq!((server.health().connections, server.health().failures), (1, 0));
    }
}

#[test]
fn a_fork_during_operations_of_other_threads_harms_none() {
    let Some(running) = Running::start(&[]) else { return };
    let server = connect(&running.url());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|who| {
                let (server, stop) = (&server, &stop);
                scope.spawn(move || {
                    while !stop.load(Relaxed) {
                        assert!(works(server, who, 5));
                    }
                })
            })
            .collect();
        for number in 0..20 * rounds() {
            assert!(ended_well(fork(|| works(&server, 100 + number, 5))));
        }
        stop.store(true, Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    assert_eq!(server.health().failures, 0);
}

/// Runs `child` in a process with the default SIGPIPE, as in C: the signal would end it.
fn unharmed(child: impl FnOnce() -> bool) -> bool {
    ended_well(fork(|| {
        // SAFETY: it sets a signal to its default.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        child()
    }))
}

#[test]
fn no_signal_is_raised_when_the_server_has_gone() {
    let Some(mut running) = Running::start(&[]) else { return };
    let servers = both_ways(&running);
    let large = vec![7; 8 << 20];
    let mut proxy = Proxy::before(&running);
    let through = connect(&proxy.url());
    for cut in ["cut 0", "drop", "refuse"] {
        assert!(unharmed(|| {
            through.ping(Duration::from_secs(5)).unwrap();
            proxy.set(cut);
            for _ in 0..20 {
                // Their results do not matter.
                let _ = through.set(b"key", &large, PLAIN);
                let _ = through.set_many(&[(b"key", &large), (b"other", &large)], PLAIN);
                let _ = through.ping(Duration::from_millis(100));
            }
            true
        }));
        proxy.set("pass");
    }
    // The server is killed while it receives a value, by TCP and by its unix socket.
    for server in &servers {
        assert!(unharmed(|| {
            server.ping(Duration::from_secs(5)).unwrap();
            running.freeze();
            std::thread::scope(|scope| {
                let sending = scope.spawn(|| server.set(b"key", &large, PLAIN));
                std::thread::sleep(Duration::from_millis(50));
                running.kill_from_child();
                sending.join().unwrap().is_err()
            })
        }));
        running.kill();
        running.restart();
    }
}
