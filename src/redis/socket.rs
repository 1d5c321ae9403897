//! A socket with one deadline for everything an operation does: connecting, sending, and receiving.
//!
//! The standard library's timeouts are per call, so a peer that trickles one byte after the other holds a reader for as
//! long as it likes. Here every call gets what is left until the deadline. The kernel keeps the time (`SO_RCVTIMEO`,
//! `SO_SNDTIMEO`), so that a round trip costs one `send` and one `recv` and no `poll`: the timeouts are set again only
//! when what they say is more than is left, which is so after an operation that had to wait.
//!
//! Nothing here raises SIGPIPE: every byte leaves by `send` with `MSG_NOSIGNAL` (macOS: `SO_NOSIGPIPE`).

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Type};

use super::endpoint::{Address, Endpoint};

/// When an operation has to be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    /// The deadline of an operation that begins now, and may take at most [`Endpoint::LONGEST_TIMEOUT`].
    pub fn after(allowed: Duration) -> Self {
        let allowed = allowed.min(Endpoint::LONGEST_TIMEOUT);
        let began = Instant::now();
        Deadline { began, end: began + allowed, allowed }
    }

    /// The deadline of a part of the operation, which leaves time for as many others.
    pub fn part(&self, others: usize) -> io::Result<Self> {
        Ok(Deadline::after(self.left()? / (others as u32 + 1)))
    }

    /// What is left; an error of the kind `TimedOut` when nothing is.
    pub fn left(&self) -> io::Result<Duration> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }

    /// What the operation was allowed to take.
    pub fn allowed(&self) -> Duration {
        self.allowed
    }

    /// When the operation began.
    pub fn began(&self) -> Instant {
        self.began
    }
}

/// The kernel's timers are no finer; asking for less would wait for ever (zero means that).
const FINEST: Duration = Duration::from_millis(1);

#[cfg(target_os = "linux")]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const NO_SIGNAL: i32 = 0;

/// A connected socket, TCP or unix.
pub struct Socket {
    socket: socket2::Socket,
    deadline: Deadline,
    /// What the kernel was told last.
    receive_timeout: Duration,
    send_timeout: Duration,
}

impl Socket {
    /// Connects. The resolution of a name is the system's, and knows no deadline.
    pub fn connect(address: &Address, deadline: Deadline) -> io::Result<Self> {
        match address {
            Address::Tcp(host, port) => Self::connect_tcp(&resolve(host, *port)?, deadline),
            Address::Unix(path) => Self::connect_unix(path, deadline),
        }
    }

    /// One address of a name after the other. Each gets its share of the time, so that one that swallows packets leaves
    /// some to the next.
    fn connect_tcp(addresses: &[SocketAddr], deadline: Deadline) -> io::Result<Self> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let share = deadline.left()? / (addresses.len() - tried) as u32;
            let socket = socket2::Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
            match socket.connect_timeout(&(*address).into(), share.max(FINEST)) {
                Ok(()) => {
                    socket.set_tcp_nodelay(true)?;
                    socket.set_keepalive(true)?;
                    return Ok(Self::new(socket, deadline));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn connect_unix(path: &Path, deadline: Deadline) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        loop {
            match socket.connect_timeout(&address, deadline.left()?.max(FINEST)) {
                Ok(()) => return Ok(Self::new(socket, deadline)),
                // The queue of the server is full, and the system has no way to wait for it.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FINEST),
                Err(error) => return Err(error),
            }
        }
    }

    fn new(socket: socket2::Socket, deadline: Deadline) -> Self {
        Socket { socket, deadline, receive_timeout: Duration::MAX, send_timeout: Duration::MAX }
    }

    /// From now on, everything has to be over by then.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Whether the peer has neither closed the connection nor sent anything that was not asked for.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Tells the kernel what is left, if it would wait for longer.
    fn arm(&mut self, direction: Direction) -> io::Result<()> {
        let left = self.deadline.left()?.max(FINEST);
        let told = match direction {
            Direction::Receive => &mut self.receive_timeout,
            Direction::Send => &mut self.send_timeout,
        };
        if *told > left + FINEST {
            match direction {
                Direction::Receive => self.socket.set_read_timeout(Some(left))?,
                Direction::Send => self.socket.set_write_timeout(Some(left))?,
            }
            *told = left;
        }
        Ok(())
    }

    /// The kernel's time has passed before the deadline, because it was told less in an earlier operation.
    fn forget_timeout(&mut self, direction: Direction) {
        match direction {
            Direction::Receive => self.receive_timeout = Duration::MAX,
            Direction::Send => self.send_timeout = Duration::MAX,
        }
    }

    /// Tries `call` until it does something, or until the deadline.
    fn retry(
        &mut self,
        direction: Direction,
        mut call: impl FnMut(&socket2::Socket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            self.arm(direction)?;
            match call(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.forget_timeout(direction),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Receive,
    Send,
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry(Direction::Receive, |mut socket| socket.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.send_with_flags(bytes, NO_SIGNAL | libc::MSG_DONTWAIT) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            done => return done,
        }
        // There is no room. A small piece waits for some: the kernel may wait once per piece of a large one, each time
        // for all that is left.
        let piece = &bytes[..bytes.len().min(1024)];
        self.retry(Direction::Send, |socket| socket.send_with_flags(piece, NO_SIGNAL))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, port).into()]),
        Err(_) => Ok((host, port).to_socket_addrs()?.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A socket whose peer does nothing, and its peer.
    fn connected(deadline: Deadline) -> (Socket, std::os::unix::net::UnixStream, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!(
            "phicache-socket-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let listener = UnixListener::bind(&path).unwrap();
        let socket = Socket::connect(&Address::Unix(path.clone()), deadline).unwrap();
        (socket, listener.accept().unwrap().0, path)
    }

    /// What a deadline may be missed by on a loaded machine; without one, it would be for ever.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn in_ms(milliseconds: u64) -> Deadline {
        Deadline::after(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_silent_peer_is_left_at_the_deadline_in_both_directions() {
        let (mut socket, _peer, path) = connected(in_ms(1000));
        for milliseconds in [50, 20, 80] {
            let began = Instant::now();
            socket.set_deadline(in_ms(milliseconds));
            assert_eq!(socket.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
            assert!(began.elapsed() >= Duration::from_millis(milliseconds), "{:?}", began.elapsed());
            assert!(began.elapsed() < Duration::from_millis(milliseconds) + PATIENCE, "{:?}", began.elapsed());
        }
        socket.set_deadline(in_ms(50));
        let began = Instant::now();
        assert_eq!(socket.write_all(&vec![0; 16 << 20]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(50) && began.elapsed() < PATIENCE);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_peer_that_takes_a_little_at_a_time_is_left_at_the_deadline() {
        let (mut socket, mut peer, path) = connected(in_ms(1000));
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while peer.read(&mut buffer).is_ok_and(|read| read > 0) {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        socket.set_deadline(in_ms(150));
        let began = Instant::now();
        assert_eq!(socket.write_all(&vec![0; 16 << 20]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(150) && began.elapsed() < PATIENCE);
        drop(socket);
        reader.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_peer_that_closes_or_talks_out_of_turn_is_noticed() {
        let (mut socket, mut peer, path) = connected(in_ms(1000));
        assert!(socket.is_quiet());
        peer.write_all(b"x").unwrap();
        assert!(!socket.is_quiet());
        assert_eq!(socket.read(&mut [0; 8]).unwrap(), 1);
        assert!(socket.is_quiet());
        drop(peer);
        assert!(!socket.is_quiet());
        assert_eq!(socket.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        std::fs::remove_file(path).unwrap();
    }
}
