//! A server whose answers a test decides: nonsense, too much, or without an end.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the liar does with a command.
pub enum Lie {
    /// It sends these bytes.
    Say(Vec<u8>),
    /// It stays silent.
    Silence,
    /// It closes the connection.
    Close,
}

/// Sends a text.
pub fn say(text: impl AsRef<[u8]>) -> Lie {
    Lie::Say(text.as_ref().to_vec())
}

type Words = Vec<Vec<u8>>;

/// A server with a port of its own; it ends with the process.
pub struct Liar {
    pub port: u16,
    asked: Arc<Mutex<Vec<Words>>>,
}

impl Liar {
    /// Answers each command with `lie`, which gets the words of the command.
    pub fn new(lie: impl Fn(&[&[u8]]) -> Lie + Send + Sync + 'static) -> Self {
        Self::at_its_port(move |_, words| lie(words))
    }

    /// The same; `lie` also gets the server's port.
    pub fn at_its_port(lie: impl Fn(u16, &[&[u8]]) -> Lie + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (lie, told) = (Arc::new(lie), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (lie, told) = (lie.clone(), told.clone());
                std::thread::spawn(move || serve(stream.unwrap(), |words| lie(port, words), &told));
            }
        });
        Liar { port, asked }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The number of commands of this name so far.
    pub fn asked(&self, command: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|words| words[0] == command.as_bytes()).count()
    }

    /// The number of all commands so far.
    pub fn asked_at_all(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn serve(stream: TcpStream, lie: impl Fn(&[&[u8]]) -> Lie, asked: &Mutex<Vec<Words>>) {
    let mut out = stream.try_clone().unwrap();
    let mut questions = BufReader::new(stream);
    while let Some(words) = question(&mut questions) {
        let words_lent: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let lie = lie(&words_lent);
        asked.lock().unwrap().push(words);
        let sent = match lie {
            Lie::Say(bytes) => out.write_all(&bytes),
            Lie::Silence => Ok(()),
            Lie::Close => out.shutdown(Shutdown::Both),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// One command, as clients send it.
fn question(from: &mut impl BufRead) -> Option<Words> {
    let number = |from: &mut dyn BufRead| {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.get(1..)?.trim_end().parse::<usize>().ok()
    };
    let len = number(from)?;
    let mut word = || {
        let mut word = vec![0; number(from)? + 2];
        from.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        Some(word)
    };
    (0..len).map(|_| word()).collect()
}
