//! Starts and stops servers: each has a new folder, a free port and a unix socket, and ends when it is dropped.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use phicache::redis::{Address, Backoff, Deadline, Endpoint, Server};
use resp::FromRedisValue;

/// A running server.
pub struct Running {
    process: Child,
    program: String,
    options: Vec<String>,
    pub folder: PathBuf,
    pub port: u16,
}

/// The server program, if there is one.
fn program() -> Option<String> {
    let runs = |name: &String| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let named = std::env::var("PHICACHE_REDIS_SERVER").into_iter();
    let found = named.chain(["redis-server".into(), "valkey-server".into()]).find(runs);
    if found.is_none() {
        skip("there is no redis-server. To have it: apt-get install redis-server");
    }
    found
}

/// Prints that a test could not run; without the test harness, which would hide it.
pub fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}

/// A port that was free just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A new folder.
pub fn new_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    let folder = std::env::temp_dir().join(format!("phicache-redis-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The factor for the rounds of randomized tests.
pub fn rounds() -> u32 {
    std::env::var("PHICACHE_REDIS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// A seed, which is printed.
pub fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let given = std::env::var("PHICACHE_REDIS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0) >> 1);
    println!("PHICACHE_REDIS_SEED={seed}");
    seed
}

/// Waits until a condition is true.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Running {
    /// Starts a server with these additional options; None without a server program.
    pub fn start(options: &[&str]) -> Option<Self> {
        let program = program()?;
        for _ in 0..5 {
            let (folder, port) = (new_folder(), free_port());
            let options: Vec<String> =
                options.iter().map(|option| option.replace("FOLDER", folder.to_str().unwrap())).collect();
            let process = spawn(&program, &folder, port, &options);
            let mut running = Running { process, program: program.clone(), options, folder, port };
            // It exits at once if another program has taken the port meanwhile.
            if running.wait_until_up() {
                return Some(running);
            }
        }
        panic!("{program} does not start");
    }

    fn wait_until_up(&mut self) -> bool {
        let began = Instant::now();
        loop {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            let answer = self.client().get_connection_with_timeout(Duration::from_secs(1));
            let answer = answer.and_then(|mut connection| resp::cmd("PING").query::<resp::Value>(&mut connection));
            // A server that requires a password is up too.
            if answer.is_ok() || answer.is_err_and(|error| error.code() == Some("NOAUTH")) {
                return true;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "the server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn client(&self) -> resp::Client {
        resp::Client::open(format!("unix://{}", self.socket().display())).unwrap()
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Its URL by TCP.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a command with another client than the tested one.
    pub fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        let mut connection = self.client().get_connection().unwrap();
        let mut words = command.split(' ');
        let mut command = resp::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut connection).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The number of calls of a command since the statistics were reset.
    pub fn calls(&self, command: &str) -> u64 {
        let info: String = self.ask("INFO commandstats");
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }

    /// Kills it, as a crash would, and keeps its folder.
    pub fn kill(&mut self) {
        self.thaw();
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Kills it from a process that did not start it.
    pub fn kill_from_child(&self) {
        self.signal(libc::SIGKILL);
    }

    /// Restarts it with the same folder and port.
    pub fn restart(&mut self) {
        self.process = spawn(&self.program, &self.folder, self.port, &self.options);
        assert!(self.wait_until_up());
    }

    /// Suspends its process.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Resumes its process.
    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        // SAFETY: it sends a signal to a process that we have started and not yet waited for.
        unsafe { libc::kill(self.process.id() as i32, signal) };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            self.kill();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(program: &str, folder: &std::path::Path, port: u16, options: &[String]) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(program)
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"])
        .arg(folder.join("socket"))
        .args(["--port", &port.to_string(), "--dir"])
        .arg(folder)
        .args(options)
        .stdin(Stdio::null())
        .stdout(log)
        .spawn()
        .unwrap()
}

/// An endpoint with timeouts for a loaded machine and retries for a test.
pub fn endpoint(url: &str) -> Endpoint {
    let mut endpoint = Endpoint::parse(url).unwrap();
    endpoint.timeout = Duration::from_secs(5);
    endpoint.backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
    endpoint
}

/// The deadline of counts and clears.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// A client of the server at `url`.
pub fn connect(url: &str) -> Server {
    Server::new(endpoint(url)).unwrap()
}

/// A client with this timeout.
pub fn impatient(url: &str, milliseconds: u64) -> Server {
    let timeout = Duration::from_millis(milliseconds);
    Server::new(Endpoint { timeout, ..endpoint(url) }).unwrap()
}

/// Clients of one server, by TCP and by its unix socket.
pub fn both_ways(running: &Running) -> [Server; 2] {
    let unix = Endpoint { addresses: vec![Address::Unix(running.socket())], ..endpoint(&running.url()) };
    [connect(&running.url()), Server::new(unix).unwrap()]
}
