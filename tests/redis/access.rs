//! Users and passwords; messages are helpful and contain no password.

use std::time::Duration;

use phicache::error::Error;
use phicache::redis::{Cause, Endpoint, Failure, Secret, Server, Store};

use super::proxy::answering;
use super::server::{Running, connect, endpoint, free_port};

/// A failure in all forms in which it can be printed.
fn printed(server: &Server, failure: &Failure) -> String {
    let error = Error::from(failure.clone());
    format!("{failure} {failure:?} {error} {error:?} {:?} {:?}", server.health(), server.endpoint())
}

#[test]
fn users_log_in_with_their_passwords() {
    let Some(running) =
        Running::start(&["--requirepass", "open sesame", "--user", "me", "on", ">s3c:r/t", "~*", "+@all"])
    else {
        return;
    };
    let port = running.port;
    for login in [":open%20sesame", "default:open%20sesame", "me:s3c%3Ar%2ft"] {
        for rest in [format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}/5")] {
            let server = connect(&format!("redis://{login}@{rest}"));
            assert!(server.set(b"key", b"value", Store::default()).unwrap());
            assert_eq!(server.get(b"key").unwrap().unwrap(), b"value");
        }
    }
    let unix = format!("unix://{}?db=5&user=me&password=s3c%3Ar%2ft", running.socket().display());
    assert_eq!(connect(&unix).get(b"key").unwrap().unwrap(), b"value");
}

#[test]
fn a_failed_login_says_why_without_the_password() {
    let Some(running) = Running::start(&["--requirepass", "secret", "--user", "me", "on", ">secret", "~*", "+@all"])
    else {
        return;
    };
    for (login, expected) in
        [("me:wrong-secret@", "WRONGPASS"), (":wrong-secret@", "WRONGPASS"), ("he:wrong-secret@", "WRONGPASS")]
    {
        let server = connect(&format!("redis://{login}127.0.0.1:{}", running.port));
        let failure = server.get(b"key").unwrap_err();
        let text = printed(&server, &failure);
        assert!(matches!(failure.cause, Cause::Unreachable(_)), "{text}");
        assert!(text.contains(expected) && text.contains(&format!("GET at 127.0.0.1:{}", running.port)), "{text}");
        assert!(!text.contains("secret"), "{text}");
        // The server is skipped for a while.
        assert!(matches!(server.get(b"key").unwrap_err().cause, Cause::Skipped { .. }));
    }
    let elsewhere = connect(&format!("redis://me:secret@127.0.0.1:{}/99", running.port));
    let text = printed(&elsewhere, &elsewhere.get(b"key").unwrap_err());
    assert!(
        text.contains("refused database 99, which the URL names: ERR DB index") && !text.contains("login"),
        "{text}"
    );
    let nobody = connect(&running.url());
    let failure = nobody.get(b"key").unwrap_err();
    assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "NOAUTH"), "{failure}");
}

#[test]
fn a_command_that_the_user_may_not_run_is_refused_and_others_work() {
    let Some(running) = Running::start(&["--user", "me", "on", ">secret", "~ours:*", "+get", "+set"]) else { return };
    let server = connect(&format!("redis://me:secret@127.0.0.1:{}", running.port));
    for _ in 0..3 {
        assert!(server.set(b"ours:key", b"value", Store::default()).unwrap());
        for failure in [server.get(b"theirs").unwrap_err(), server.flush_database().unwrap_err()] {
            assert!(matches!(&failure.cause, Cause::Refused { code, .. } if code == "NOPERM"), "{failure}");
            assert!(!failure.is_outage());
        }
        assert_eq!(server.get(b"ours:key").unwrap().unwrap(), b"value");
    }
    let health = server.health();
    assert_eq!((health.connections, health.failures, health.refusals, health.skipping), (1, 0, 6, None));
    assert!(health.last_error.unwrap().contains("FLUSHDB at 127.0.0.1"));
}

#[test]
fn a_password_that_the_server_echoes_is_masked() {
    for answer in [
        "-ERR unknown command 'AUTH', with args beginning with: 'me' 'hidden-word' \r\n",
        "-NOPERM \x1b[31m hidden-word is no password\r\n",
        "AUTH me hidden-word is not understood here\r\n",
        "+hidden-word\n\n\n",
    ] {
        let server = connect(&format!("redis://me:hidden-word@127.0.0.1:{}", answering(answer)));
        let failure = server.get(b"key").unwrap_err();
        let text = printed(&server, &failure);
        assert!(failure.is_outage() && !text.contains("hidden-word") && text.contains("***"), "{text}");
        assert!(!failure.to_string().contains(char::is_control), "{text}");
    }
}

#[test]
fn a_message_is_one_short_line_even_if_the_server_sends_a_long_one() {
    let answer: &str = Box::leak(format!("-ERR {}\r\n", "long ".repeat(5000)).into_boxed_str());
    let server = connect(&format!("redis://127.0.0.1:{}", answering(answer)));
    let text = server.get(b"key").unwrap_err().to_string();
    assert!(text.len() < 300 && text.ends_with('…'), "{text}");
}

#[test]
fn an_unreachable_server_is_named() {
    let (port, nowhere) = (free_port(), super::server::new_folder());
    let path = nowhere.join("socket");
    let by_unix = format!("unix://me:secret@{}", path.display());
    for (url, name) in [
        (format!("redis://me:secret@127.0.0.1:{port}"), format!("127.0.0.1:{port}: ")),
        (format!("redis://me:secret@[::1]:{port}"), format!("[::1]:{port}: ")),
        (by_unix, format!("{}: ", path.display())),
    ] {
        let server = connect(&url);
        let failure = server.ping(Duration::from_secs(5)).unwrap_err();
        let text = printed(&server, &failure);
        assert!(text.starts_with(&format!("PING at {name}no connection: ")) && !text.contains("secret"), "{text}");
        assert!(matches!(Error::from(failure), Error::Redis(_)));
    }
    std::fs::remove_dir(nowhere).unwrap();
}

#[test]
fn an_endpoint_can_be_built_without_a_url() {
    let Some(running) = Running::start(&["--requirepass", "se cr@t"]) else { return };
    let password = Some(Secret::new("se cr@t"));
    let server = Server::new(Endpoint { password, ..endpoint(&running.url()) }).unwrap();
    server.ping(Duration::from_secs(5)).unwrap();
    let two = Endpoint { addresses: endpoint("redis://a,b").addresses, ..endpoint("redis://a") };
    assert!(Server::new(two).is_err());
}
