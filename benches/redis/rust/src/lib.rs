//! The redis crate, used as in its documentation, as a contender of `client.h`: a connection for each thread,
//! commands by `cmd` and `pipe`, values as `Vec<u8>`.

use std::ffi::{CStr, c_char, c_void};
use std::slice::from_raw_parts;

use redis::{Client, Connection, Pipeline, RedisResult, Value, cmd, pipe};

/// `BENCH_AT_ONCE` of `client.h`.
const AT_ONCE: usize = 100;

/// `bench_work` of `peer.h`.
#[repr(C)]
pub struct Work {
    keys: *const u8,
    key_len: usize,
    count: usize,
    words: *const u64,
    writes: *const u8,
    value: *mut u8,
    value_len: usize,
    buffer: *mut u8,
}

type Requests = unsafe extern "C" fn(*mut c_void, *const Work) -> u64;

/// `bench_client` of `client.h`.
#[repr(C)]
pub struct Contender {
    name: *const c_char,
    open: Option<unsafe extern "C" fn(*const c_char, i32) -> *mut c_void>,
    close: Option<unsafe extern "C" fn(*mut c_void)>,
    shared: i32,
    names: i32,
    get: Option<Requests>,
    set: Option<Requests>,
    get_many: Option<Requests>,
    set_many: Option<Requests>,
}

// SAFETY: names and functions are static.
unsafe impl Sync for Contender {}

static CONTENDERS: [Contender; 3] = [
    Contender {
        name: c"redis crate".as_ptr(),
        open: Some(open),
        close: Some(close),
        shared: 0,
        names: 0,
        get: Some(get),
        set: Some(set),
        get_many: Some(mget),
        set_many: Some(set_pipeline),
    },
    Contender {
        name: c"redis crate (GETs; MSET)".as_ptr(),
        open: Some(open),
        close: Some(close),
        shared: 0,
        names: 0,
        get: None,
        set: None,
        get_many: Some(get_pipeline),
        set_many: Some(mset),
    },
    Contender {
        name: std::ptr::null(),
        open: None,
        close: None,
        shared: 0,
        names: 0,
        get: None,
        set: None,
        get_many: None,
        set_many: None,
    },
];

/// The contenders, for the harness.
#[unsafe(no_mangle)]
pub extern "C" fn bench_client_rust() -> *const Contender {
    CONTENDERS.as_ptr()
}

unsafe extern "C" fn open(path: *const c_char, port: i32) -> *mut c_void {
    let url = match path.is_null() {
        true => format!("redis://127.0.0.1:{port}"),
        // SAFETY: the harness passes a NUL-terminated string.
        false => format!("unix://{}", unsafe { CStr::from_ptr(path) }.to_string_lossy()),
    };
    let connection = Client::open(url).and_then(|client| client.get_connection());
    connection.map_or(std::ptr::null_mut(), |connection| Box::into_raw(Box::new(connection)).cast())
}

unsafe extern "C" fn close(client: *mut c_void) {
    // SAFETY: it is the result of `open`, and nobody uses it any more.
    drop(unsafe { Box::from_raw(client.cast::<Connection>()) });
}

/// A piece of work with Rust's types.
struct Task<'w> {
    keys: Vec<&'w [u8]>,
    words: &'w [u64],
    value: Vec<u8>,
}

impl<'w> Task<'w> {
    /// # Safety
    /// The work is from the harness, which does not change it during the call.
    unsafe fn read(work: *const Work) -> Self {
        // SAFETY: pointers and lengths belong together, and nobody writes there during the call.
        let (work, keys, words, value) = unsafe {
            let work = &*work;
            let keys = from_raw_parts(work.keys, work.count * work.key_len);
            let words = from_raw_parts(work.words, work.count);
            (work, keys, words, from_raw_parts(work.value, work.value_len).to_vec())
        };
        Task { keys: keys.chunks(work.key_len).collect(), words, value }
    }

    fn value(&mut self, at: usize) -> &[u8] {
        self.value[..8].copy_from_slice(&self.words[at].to_ne_bytes());
        &self.value
    }
}

fn word(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Runs `body` with the harness's client and work.
///
/// # Safety
/// As for the harness's calls: the client is the result of `open`, the work is complete.
unsafe fn run(client: *mut c_void, work: *const Work, body: impl FnOnce(&mut Connection, &mut Task) -> u64) -> u64 {
    // SAFETY: see above; one thread uses a client.
    let (connection, mut task) = unsafe { (&mut *client.cast::<Connection>(), Task::read(work)) };
    body(connection, &mut task)
}

unsafe extern "C" fn get(client: *mut c_void, work: *const Work) -> u64 {
    let body = |connection: &mut Connection, task: &mut Task| {
        let found =
            task.keys.iter().map(|key| -> RedisResult<Option<Vec<u8>>> { cmd("GET").arg(*key).query(connection) });
        found.map(|value| value.ok().flatten().map_or(0, |value| word(&value))).fold(0, u64::wrapping_add)
    };
    // SAFETY: the harness passes the result of `open` and complete work.
    unsafe { run(client, work, body) }
}

unsafe extern "C" fn set(client: *mut c_void, work: *const Work) -> u64 {
    let body = |connection: &mut Connection, task: &mut Task| {
        let mut stored = 0;
        for at in 0..task.keys.len() {
            let key = task.keys[at];
            stored += u64::from(cmd("SET").arg(key).arg(task.value(at)).exec(connection).is_ok());
        }
        stored
    };
    // SAFETY: the harness passes the result of `open` and complete work.
    unsafe { run(client, work, body) }
}

unsafe extern "C" fn mget(client: *mut c_void, work: *const Work) -> u64 {
    let body = |connection: &mut Connection, task: &mut Task| {
        let found = task.keys.chunks(AT_ONCE).map(|keys| -> RedisResult<Vec<Option<Vec<u8>>>> {
            let mut mget = cmd("MGET");
            for key in keys {
                mget.arg(*key);
            }
            mget.query(connection)
        });
        let words = found.flat_map(Result::unwrap_or_default).map(|value| value.map_or(0, |value| word(&value)));
        words.fold(0, u64::wrapping_add)
    };
    // SAFETY: the harness passes the result of `open` and complete work.
    unsafe { run(client, work, body) }
}

unsafe extern "C" fn get_pipeline(client: *mut c_void, work: *const Work) -> u64 {
    let body = |connection: &mut Connection, task: &mut Task| {
        let found = task.keys.chunks(AT_ONCE).map(|keys| -> RedisResult<Vec<Option<Vec<u8>>>> {
            let mut gets = pipe();
            for key in keys {
                gets.cmd("GET").arg(*key);
            }
            gets.query(connection)
        });
        let words = found.flat_map(Result::unwrap_or_default).map(|value| value.map_or(0, |value| word(&value)));
        words.fold(0, u64::wrapping_add)
    };
    // SAFETY: the harness passes the result of `open` and complete work.
    unsafe { run(client, work, body) }
}

/// Sends a pipeline for each batch and counts the stored values.
fn store(connection: &mut Connection, task: &mut Task, add: impl Fn(&mut Pipeline, &[u8], &[u8])) -> u64 {
    let mut stored = 0;
    for from in (0..task.keys.len()).step_by(AT_ONCE) {
        let (mut sets, to) = (pipe(), task.keys.len().min(from + AT_ONCE));
        for at in from..to {
            let key = task.keys[at];
            add(&mut sets, key, task.value(at));
        }
        let answers: Vec<Value> = sets.query(connection).unwrap_or_default();
        stored += answers.iter().filter(|answer| **answer == Value::Okay).count() as u64;
    }
    stored
}

unsafe extern "C" fn set_pipeline(client: *mut c_void, work: *const Work) -> u64 {
    let body = |connection: &mut Connection, task: &mut Task| {
        store(connection, task, |sets, key, value| {
            sets.cmd("SET").arg(key).arg(value);
        })
    };
    // SAFETY: the harness passes the result of `open` and complete work.
    unsafe { run(client, work, body) }
}

unsafe extern "C" fn mset(client: *mut c_void, work: *const Work) -> u64 {
    let body = |connection: &mut Connection, task: &mut Task| {
        let mut stored = 0;
        for from in (0..task.keys.len()).step_by(AT_ONCE) {
            let (mut mset, to) = (cmd("MSET"), task.keys.len().min(from + AT_ONCE));
            for at in from..to {
                let key = task.keys[at];
                mset.arg(key).arg(task.value(at));
            }
            stored += if mset.exec(connection).is_ok() { (to - from) as u64 } else { 0 };
        }
        stored
    };
    // SAFETY: the harness passes the result of `open` and complete work.
    unsafe { run(client, work, body) }
}
