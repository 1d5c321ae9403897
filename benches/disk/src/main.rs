//! Values in files: phicache and the engines that a user would pick instead, on the same work.
//!
//! usage: phicache-disk-bench ENGINE FOLDER ENTRIES VALUE
//!        phicache-disk-bench bundle FOLDER ENTRIES VALUE
//!
//! Prints a line of JSON: nanoseconds of a put, of a get by a new process, of a repeated get; milliseconds until a new
//! process has its first value; the ratio of what two processes put in the time of one; what is there after a kill.
//! FOLDER is emptied. Keys have 16 bytes, values VALUE. Worker processes do the work, so that each begins with nothing
//! in memory but what the operating system keeps. `bundle` measures a cache that is saved to one file (`bundle.rs`).

mod bundle;
mod engines;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use engines::open;

/// The number of the first key that the second writer stores.
const APART: u64 = 1 << 32;

/// Numbers that look random and never repeat.
fn mix(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB)
}

fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&mix(number).to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    key
}

fn value(number: u64, len: usize) -> Vec<u8> {
    let mut value = vec![number as u8; len];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

/// Numbers below `count`, each once, in an order that looks random.
fn shuffled(count: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..count).collect();
    numbers.sort_by_key(|number| mix(number + 77));
    numbers
}

/// A worker: does one thing, and prints nanoseconds for each entry, or what it found.
fn work(what: &str, engine: &str, folder: &Path, from: u64, count: u64, len: usize) {
    let mut output = std::io::stdout();
    let began = Instant::now();
    let mut store = open(engine, folder);
    match what {
        "put" => {
            // All writers are open before the first puts.
            println!("open");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            let began = Instant::now();
            for number in from..from + count {
                store.put(&key(number), &value(number, len));
            }
            println!("{}", began.elapsed().as_nanos());
        }
        "put-on" => {
            for number in from.. {
                store.put(&key(number), &value(number, len));
                writeln!(output, "{number}").unwrap();
            }
        }
        "first" => {
            assert!(store.has(&key(from), &value(from, len)));
            println!("{}", began.elapsed().as_nanos());
        }
        "get" => {
            let order = shuffled(count);
            for _ in 0..2 {
                let began = Instant::now();
                let found = order.iter().filter(|number| store.has(&key(**number), &value(**number, len))).count();
                println!("{}", began.elapsed().as_nanos());
                assert_eq!(found as u64, count, "{engine} lost values");
            }
        }
        "count" => {
            let began = Instant::now();
            let last = (0..count).take_while(|number| store.has(&key(*number), &value(*number, len))).count();
            let there = (last as u64..count).filter(|number| store.has(&key(*number), &value(*number, len))).count();
            println!("{} {}", last + there, began.elapsed().as_nanos());
        }
        _ => panic!("{what}"),
    }
}

struct Worker {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Worker {
    fn start(what: &str, engine: &str, folder: &Path, from: u64, count: u64, len: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["worker", what, engine])
            .arg(folder)
            .args([from, count, len as u64].map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Worker { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().into()
    }

    fn nanoseconds(&mut self) -> u64 {
        self.line().parse().unwrap()
    }

    /// Lets a writer begin.
    fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

/// Seconds that some writers take at once, each for its own entries.
fn write(engine: &str, folder: &Path, ranges: &[(u64, u64)], len: usize) -> f64 {
    let start = |(from, count): &(u64, u64)| Worker::start("put", engine, folder, *from, *count, len);
    let mut writers: Vec<Worker> = ranges.iter().map(start).collect();
    writers.iter_mut().for_each(|writer| assert_eq!(writer.line(), "open"));
    let began = Instant::now();
    writers.iter_mut().for_each(Worker::go);
    writers.iter_mut().for_each(|writer| drop(writer.line()));
    let seconds = began.elapsed().as_secs_f64();
    writers.into_iter().for_each(Worker::end);
    seconds
}

/// Empties a folder.
fn empty(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}

/// The bytes that the files in a folder take.
fn disk_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let metadata = entry.metadata().unwrap();
        bytes += if metadata.is_dir() { disk_bytes(&entry.path()) } else { metadata.blocks() * 512 };
    }
    bytes
}

/// Measures a cache that is saved to one file.
fn measure_bundle(folder: &Path, count: u64, len: usize) {
    empty(folder);
    let path = folder.join("bundle");
    let mut saver = Worker::start("save", "bundle", &path, 0, count, len);
    let (save, load_here) = (saver.nanoseconds(), saver.nanoseconds());
    saver.end();
    let bytes = fs::metadata(&path).unwrap().len();
    let mut loader = Worker::start("load", "bundle", &path, 0, count, len);
    let (load, open, get) = (loader.nanoseconds(), loader.nanoseconds(), loader.nanoseconds());
    loader.end();
    empty(folder);
    let each = |number: u64| number as f64 / count as f64;
    println!(
        "{{\"entries\": {count}, \"value\": {len}, \"save_ns\": {:.1}, \"load_ns\": {:.1}, \"load_here_ns\": {:.1}, \
         \"open_ns\": {:.1}, \"get_ns\": {:.1}, \"bytes\": {:.1}}}",
        each(save),
        each(load),
        each(load_here),
        each(open),
        each(get),
        each(bytes)
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let text = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
    let number = |at: usize| text(at).parse::<u64>().unwrap_or_else(|_| panic!("usage: ENGINE FOLDER ENTRIES VALUE"));
    if text(1) == "worker" && text(3) == "bundle" {
        return bundle::work(text(2), Path::new(text(4)), number(6), number(7) as usize);
    }
    if text(1) == "worker" {
        return work(text(2), text(3), Path::new(text(4)), number(5), number(6), number(7) as usize);
    }
    let (engine, folder, count, len) = (text(1), Path::new(text(2)), number(3), number(4) as usize);
    if engine == "bundle" {
        return measure_bundle(folder, count, len);
    }
    let each = |nanoseconds: u64| nanoseconds as f64 / count as f64;
    empty(folder);
    let put = write(engine, folder, &[(0, count)], len) * 1e9 / count as f64;
    let bytes = disk_bytes(folder) as f64 / count as f64;
    let mut first = Worker::start("first", engine, folder, count / 2, 1, len);
    let open_ns = first.nanoseconds();
    first.end();
    let mut reader = Worker::start("get", engine, folder, 0, count, len);
    let (get, again) = (reader.nanoseconds(), reader.nanoseconds());
    reader.end();
    // redb lets one process at a time open its file.
    let two = if engine == "redb" {
        f64::NAN
    } else {
        empty(folder);
        let two = write(engine, folder, &[(0, count), (APART, count)], len);
        2.0 * put * count as f64 / 1e9 / two
    };
    empty(folder);
    let mut killed = Worker::start("put-on", engine, folder, 0, 0, len);
    let last: u64 = (0..count / 2).map(|_| killed.nanoseconds()).last().unwrap();
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let mut counter = Worker::start("count", engine, folder, 0, last + 1, len);
    let found: u64 = counter.line().split(' ').next().unwrap().parse().unwrap();
    counter.end();
    empty(folder);
    let optional = |number: f64| if number.is_nan() { "null".to_owned() } else { format!("{number:.3}") };
    println!(
        "{{\"engine\": \"{engine}\", \"entries\": {count}, \"value\": {len}, \"put_ns\": {put:.1}, \"get_ns\": {:.1}, \
         \"again_ns\": {:.1}, \"open_ms\": {:.3}, \"bytes\": {bytes:.1}, \"two\": {}, \"killed\": {:.6}}}",
        each(get),
        each(again),
        open_ns as f64 / 1e6,
        optional(two),
        found as f64 / (last + 1) as f64,
    );
}
