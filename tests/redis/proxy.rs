//! Starts and controls the proxy `fault_proxy.py`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::server::Running;

/// A running proxy; dropping it ends it.
pub struct Proxy {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Proxy {
    /// A proxy in front of a server; at first it forwards everything.
    pub fn before(server: &Running) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis/fault_proxy.py");
        let mut process = Command::new("python3")
            .args(["-B", script])
            .arg(server.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs the proxy");
        let commands = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("listening ").unwrap().parse().unwrap();
        Proxy { process, commands, answers, port }
    }

    /// Changes its mode; see the script for the modes.
    pub fn set(&mut self, mode: &str) {
        writeln!(self.commands, "{mode}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line, "ok\n");
    }

    /// The server's URL, through the proxy.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port of a server that sends `answer` to the first bytes of a client.
pub fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(answer.as_bytes());
        // Until the client has read it and disconnected.
        let _ = stream.read(&mut [0; 1000]);
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}
