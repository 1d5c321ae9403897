//! A socket with one deadline for everything that an operation does: connecting, sending, and receiving.
//!
//! The standard library's timeouts are per call, so a peer that trickles one byte at a time can hold a reader forever.
//! Here every call gets the time that is left. The kernel measures it (`SO_RCVTIMEO`, `SO_SNDTIMEO`), so a round trip
//! costs one `send` and one `recv`, and no `poll`. A timeout is set again only if it exceeds the time that is left:
//! after an operation that had to wait.
//!
//! Nothing here raises SIGPIPE: every byte is sent by `send` with `MSG_NOSIGNAL` (macOS: `SO_NOSIGPIPE`).

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Type};

use super::endpoint::{Address, Endpoint};
use crate::sync::off_standard;

/// The time by which an operation must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    /// The deadline of an operation that begins now; at most [`Endpoint::LONGEST_TIMEOUT`] from now.
    pub fn after(allowed: Duration) -> Self {
        let allowed = allowed.min(Endpoint::LONGEST_TIMEOUT);
        let began = Instant::now();
        Deadline { began, end: began + allowed, allowed }
    }

    /// The deadline of one part of the operation, which leaves equal parts for `others`.
    pub fn part(&self, others: usize) -> io::Result<Self> {
        Ok(Deadline::after(self.left()? / (others as u32 + 1)))
    }

    /// The time that is left; an error of the kind `TimedOut` if there is none.
    pub fn left(&self) -> io::Result<Duration> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }

    /// The time that the operation was allowed.
    pub fn allowed(&self) -> Duration {
        self.allowed
    }

    /// When the operation began.
    pub fn began(&self) -> Instant {
        self.began
    }
}

/// The resolution of the kernel's timers. A shorter timeout would be rounded to zero, which means forever.
const FINEST: Duration = Duration::from_millis(1);

#[cfg(target_os = "linux")]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const NO_SIGNAL: i32 = 0;

/// A connected socket, TCP or unix.
pub struct Socket {
    socket: socket2::Socket,
    deadline: Deadline,
    /// The timeouts that the kernel has.
    receive_timeout: Duration,
    send_timeout: Duration,
}

impl Socket {
    /// Connects. The system resolves a name, without a deadline.
    pub fn connect(address: &Address, deadline: Deadline) -> io::Result<Self> {
        match address {
            Address::Tcp(host, port) => Self::connect_tcp(&resolve(host, *port)?, deadline),
            Address::Unix(path) => Self::connect_unix(path, deadline),
        }
    }

    /// Tries the addresses of a name in turn. Each gets its share of the time, so that one that drops packets leaves
    /// some for the next.
    fn connect_tcp(addresses: &[SocketAddr], deadline: Deadline) -> io::Result<Self> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let share = deadline.left()? / (addresses.len() - tried) as u32;
            let socket = Self::unconnected(Domain::for_address(*address))?;
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
        let socket = Self::unconnected(Domain::UNIX)?;
        loop {
            match socket.connect_timeout(&address, deadline.left()?.max(FINEST)) {
                Ok(()) => return Ok(Self::new(socket, deadline)),
                // The server's queue is full, and the system cannot wait for it.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FINEST),
                Err(error) => return Err(error),
            }
        }
    }

    fn unconnected(domain: Domain) -> io::Result<socket2::Socket> {
        off_standard(socket2::Socket::new(domain, Type::STREAM, None)?)
    }

    fn new(socket: socket2::Socket, deadline: Deadline) -> Self {
        Socket { socket, deadline, receive_timeout: Duration::MAX, send_timeout: Duration::MAX }
    }

    /// Sets the deadline of everything that follows.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Whether the peer has neither closed the connection nor sent anything unasked.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Sets the kernel's timeout to the time that is left, if it is longer than that.
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

    /// Forgets the kernel's timeout: it was set to less in an earlier operation and expired before the deadline.
    fn forget_timeout(&mut self, direction: Direction) {
        match direction {
            Direction::Receive => self.receive_timeout = Duration::MAX,
            Direction::Send => self.send_timeout = Duration::MAX,
        }
    }

    /// Repeats `call` until it succeeds, or until the deadline.
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
        // The kernel's buffer is full. Only a small piece waits for room: the kernel may wait once for each part of a
        // large one, each time for all the time that is left.
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

    /// A socket and its idle peer.
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

    /// The tolerance for a deadline on a loaded machine. Without a deadline, the test would wait forever.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn in_ms(milliseconds: u64) -> Deadline {
        Deadline::after(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_silent_peer_is_abandoned_at_the_deadline_in_both_directions() {
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
    fn a_peer_that_reads_slowly_is_abandoned_at_the_deadline() {
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
    fn a_peer_that_closes_or_sends_unasked_is_detected() {
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
