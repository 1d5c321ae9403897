//! Configuration: defaults, then the environment, then setters.
//!
//! Caches share the configuration that they are made with. Percentages and switches take effect at once; the connection
//! settings are read when a cache is made.

mod mistyped;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use once_cell::race::OnceBox;

use crate::disk::Directory;
use crate::error::{Error, Result};
use crate::memory::limit::UNLIMITED;
use crate::redis::{Endpoint, Secret, Server};
use crate::sync::RwLock;

/// The environment variables, which are read once, at the first use of a configuration.
pub mod variable {
    /// The maximum memory, in per cent.
    pub const MAXIMUM_MEMORY: &str = "PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE";
    /// What full caches do.
    pub const ON_FULL: &str = "PHICACHE_ON_FULL";
    /// Whether repertoires are cached.
    pub const REPERTOIRES: &str = "PHICACHE_CACHE_REPERTOIRES";
    /// Whether potential purviews are cached.
    pub const PURVIEWS: &str = "PHICACHE_CACHE_POTENTIAL_PURVIEWS";
    /// Whether MICE are kept in Redis.
    pub const REDIS: &str = "PHICACHE_REDIS_CACHE";
    /// The directory of disk caches.
    pub const DISK_DIRECTORY: &str = "PHICACHE_DISK_DIRECTORY";
    /// The URL of the Redis server.
    pub const REDIS_URL: &str = "PHICACHE_REDIS_URL";
    /// The namespace of all our keys in Redis.
    pub const REDIS_NAMESPACE: &str = "PHICACHE_REDIS_NAMESPACE";
    /// The user that logs in there; overrides the URL.
    pub const REDIS_USER: &str = "PHICACHE_REDIS_USER";
    /// The password; overrides the URL.
    pub const REDIS_PASSWORD: &str = "PHICACHE_REDIS_PASSWORD";
    /// The time that one operation there may take, in milliseconds; overrides the URL.
    pub const REDIS_TIMEOUT: &str = "PHICACHE_REDIS_TIMEOUT_MS";

    /// All of them.
    pub const ALL: [&str; 11] = [
        MAXIMUM_MEMORY,
        ON_FULL,
        REPERTOIRES,
        PURVIEWS,
        REDIS,
        DISK_DIRECTORY,
        REDIS_URL,
        REDIS_NAMESPACE,
        REDIS_USER,
        REDIS_PASSWORD,
        REDIS_TIMEOUT,
    ];
}

/// What a full cache does with a new value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum OnFull {
    /// As configured. In a configuration: the default, which depends on the cache and on the limit that it reached.
    #[default]
    Configured = 0,
    /// It refuses the value.
    Refuse = 1,
    /// It evicts values, so that the new one fits.
    Evict = 2,
}

impl OnFull {
    /// All choices, each at its number.
    const ALL: [OnFull; 3] = [OnFull::Configured, OnFull::Refuse, OnFull::Evict];

    /// The choice with this number.
    pub fn from_number(number: i32) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|choice| *choice as i32 == number);
        known.ok_or_else(|| {
            Error::invalid(format!("on_full is {number}; expected 0 (as configured), 1 (refuse) or 2 (evict)"))
        })
    }

    /// This choice, or `other` if this one leaves it open.
    pub fn or(self, other: Self) -> Self {
        if self == OnFull::Configured { other } else { self }
    }

    fn from_text(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "refuse" => Ok(OnFull::Refuse),
            "evict" => Ok(OnFull::Evict),
            _ => Err(Error::invalid(format!("\"{text}\" is not a choice; expected refuse or evict"))),
        }
    }
}

/// Where values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// In this process.
    Memory,
    /// At a Redis server.
    Redis,
    /// In files.
    Disk,
}

/// The settings that caches read.
pub struct Config {
    maximum_memory: AtomicU64,
    /// Shared with the copies that have another maximum.
    on_full: Arc<AtomicI32>,
    repertoires: AtomicBool,
    purviews: AtomicBool,
    redis: AtomicBool,
    disk_directory: RwLock<Option<PathBuf>>,
    connection: RwLock<Connection>,
}

/// The values of a configuration at one moment.
#[derive(Clone)]
struct Settings {
    maximum_memory: f64,
    on_full: OnFull,
    repertoires: bool,
    purviews: bool,
    redis: bool,
    disk_directory: Option<PathBuf>,
    connection: Connection,
}

impl From<Settings> for Config {
    fn from(settings: Settings) -> Self {
        Config {
            maximum_memory: AtomicU64::new(settings.maximum_memory.to_bits()),
            on_full: Arc::new(AtomicI32::new(settings.on_full as i32)),
            repertoires: AtomicBool::new(settings.repertoires),
            purviews: AtomicBool::new(settings.purviews),
            redis: AtomicBool::new(settings.redis),
            disk_directory: RwLock::new(settings.disk_directory),
            connection: RwLock::new(settings.connection),
        }
    }
}

/// How to reach the server, and which part of it is ours.
#[derive(Clone, Default)]
struct Connection {
    url: String,
    namespace: String,
    whole_database: bool,
    user: Option<String>,
    password: Option<Secret>,
    timeout: Option<Duration>,
    /// The client of all caches made with these settings; `None` before the first of them.
    server: Option<Arc<Server>>,
}

/// Where caches keep values outside of this process.
pub struct RedisLocation {
    /// The server.
    pub server: Arc<Server>,
    /// The namespace of all our keys; `None` if caches own the whole database.
    pub namespace: Option<String>,
}

impl Config {
    /// A new configuration: the defaults and the environment.
    pub fn new() -> Result<Arc<Self>> {
        // Done once, here, because it allocates, which a store must not.
        crate::memory::limit::prepare();
        crate::table::prepare();
        Ok(Arc::new(Self::environment()?.clone().into()))
    }

    /// The configuration of the process, for caches that are made without one.
    pub fn process() -> Result<Arc<Self>> {
        static PROCESS: OnceBox<Arc<Config>> = OnceBox::new();
        PROCESS.get_or_try_init(|| Self::new().map(Box::new)).cloned()
    }

    /// The settings of the environment. They are read until they are valid, and never again.
    fn environment() -> Result<&'static Settings> {
        static ENVIRONMENT: OnceBox<Settings> = OnceBox::new();
        ENVIRONMENT.get_or_try_init(|| {
            let settings = Box::new(Self::read(|name| std::env::var_os(name))?.settings());
            // The only line that the library prints: nothing else would tell that a setting has no effect.
            match &*Self::mistyped_variables() {
                "" => {}
                message => drop(writeln!(std::io::stderr(), "phicache: warning: {message}")),
            }
            Ok(settings)
        })
    }

    /// A line about the variables in the environment that are probably mistyped; empty if all are right.
    pub fn mistyped_variables() -> String {
        mistyped::message(&mistyped::of(std::env::vars_os().map(|(name, _)| name), &variable::ALL))
    }

    /// The defaults, overridden by what `get` returns for each variable. An empty variable counts as unset.
    fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let connection = Connection {
            url: "redis://127.0.0.1:6379/0".into(),
            namespace: "phicache".into(),
            ..Connection::default()
        };
        let config: Config = Settings {
            maximum_memory: 50.0,
            on_full: OnFull::Configured,
            repertoires: true,
            purviews: true,
            redis: false,
            disk_directory: None,
            connection,
        }
        .into();
        let set = |name: &str, apply: &dyn Fn(&str) -> Result<()>| {
            let Some(text) = get(name).filter(|text| !text.is_empty()) else { return Ok(()) };
            let applied = text.to_str().ok_or_else(|| Error::invalid("not valid UTF-8")).and_then(apply);
            applied.map_err(|error| Error::Configuration(format!("{name}: {error}").into()))
        };
        set(variable::MAXIMUM_MEMORY, &|text| {
            let percent = text.trim().parse::<f64>();
            config.set_maximum_memory(
                percent.map_err(|_| Error::invalid(format!("\"{text}\" is not a number; expected per cent")))?,
            )
        })?;
        set(variable::ON_FULL, &|text| OnFull::from_text(text).map(|choice| config.set_on_full(choice)))?;
        set(variable::REPERTOIRES, &|text| switch(text).map(|on| config.set_repertoires(on)))?;
        set(variable::PURVIEWS, &|text| switch(text).map(|on| config.set_purviews(on)))?;
        set(variable::REDIS, &|text| switch(text).map(|on| config.set_redis(on)))?;
        set(variable::DISK_DIRECTORY, &|text| config.set_disk_directory(Some(text)))?;
        set(variable::REDIS_URL, &|text| config.set_redis_url(text))?;
        set(variable::REDIS_NAMESPACE, &|text| config.set_redis_namespace(text))?;
        set(variable::REDIS_USER, &|text| config.connect(|connection| connection.user = Some(text.into())))?;
        set(variable::REDIS_PASSWORD, &|text| {
            config.connect(|connection| connection.password = Some(Secret::new(text)))
        })?;
        set(variable::REDIS_TIMEOUT, &|text| {
            let milliseconds = text.trim().parse::<u64>();
            let expected = |_| Error::invalid(format!("\"{text}\" is not a number; expected milliseconds"));
            config.set_redis_timeout(Duration::from_millis(milliseconds.map_err(expected)?))
        })?;
        Ok(config)
    }

    fn settings(&self) -> Settings {
        Settings {
            maximum_memory: self.maximum_memory(),
            on_full: self.on_full(),
            repertoires: self.repertoires(),
            purviews: self.purviews(),
            redis: self.redis(),
            disk_directory: self.disk_directory.read().clone(),
            connection: self.connection.read().clone(),
        }
    }

    /// The percentage of the memory that the process may use up to which caches store; [`UNLIMITED`] for all of it.
    #[inline]
    pub fn maximum_memory(&self) -> f64 {
        f64::from_bits(self.maximum_memory.load(Relaxed))
    }

    /// Sets the maximum of all caches that use this configuration, at once.
    pub fn set_maximum_memory(&self, percent: f64) -> Result<()> {
        self.maximum_memory.store(check_maximum(percent)?.to_bits(), Relaxed);
        Ok(())
    }

    /// The configuration of a memo that has a maximum of its own: a copy, except for what full caches do.
    pub fn with_maximum_memory(&self, percent: f64) -> Result<Self> {
        let settings = Settings { maximum_memory: check_maximum(percent)?, ..self.settings() };
        Ok(Config { on_full: self.on_full.clone(), ..settings.into() })
    }

    /// What full caches do that were made without a choice of their own.
    pub fn on_full(&self) -> OnFull {
        // Only `set_on_full` writes the number, from a choice.
        OnFull::ALL[self.on_full.load(Relaxed) as usize]
    }

    /// Sets what full caches do, at once, for all that use this configuration and have no choice of their own.
    pub fn set_on_full(&self, choice: OnFull) {
        self.on_full.store(choice as i32, Relaxed);
    }

    /// Whether methods flagged as repertoires use their caches.
    pub fn repertoires(&self) -> bool {
        self.repertoires.load(Relaxed)
    }

    /// Enables or disables repertoire caching.
    pub fn set_repertoires(&self, enabled: bool) {
        self.repertoires.store(enabled, Relaxed);
    }

    /// Whether purview caches store.
    pub fn purviews(&self) -> bool {
        self.purviews.load(Relaxed)
    }

    /// Enables or disables purview caching.
    pub fn set_purviews(&self, enabled: bool) {
        self.purviews.store(enabled, Relaxed);
    }

    /// Whether MICE caches that choose by configuration are in Redis.
    pub fn redis(&self) -> bool {
        self.redis.load(Relaxed)
    }

    /// Enables or disables Redis.
    pub fn set_redis(&self, enabled: bool) {
        self.redis.store(enabled, Relaxed);
    }

    /// Where MICE caches are that choose by configuration.
    pub fn mice_tier(&self) -> Result<Tier> {
        match (self.redis(), self.disk_directory.read().is_some()) {
            (false, false) => Ok(Tier::Memory),
            (true, false) => Ok(Tier::Redis),
            (false, true) => Ok(Tier::Disk),
            (true, true) => Err(Error::Configuration(
                "MICE are to be in Redis and in a directory; disable redis_cache (PHICACHE_REDIS_CACHE), or set no \
                 disk_directory (PHICACHE_DISK_DIRECTORY)"
                    .into(),
            )),
        }
    }

    /// The directory of disk caches: what was set, or the default.
    pub fn disk_directory(&self) -> Result<PathBuf> {
        let given = self.disk_directory.read().clone();
        given.map_or_else(Directory::default_path, Ok)
    }

    /// Sets the directory of disk caches that are made from now on; `None` is the default.
    pub fn set_disk_directory(&self, path: Option<&str>) -> Result<()> {
        if path.is_some_and(|path| !Path::new(path).is_absolute()) {
            return Err(Error::invalid("the directory is not absolute; give a path that begins with /"));
        }
        *self.disk_directory.write() = path.map(PathBuf::from);
        Ok(())
    }

    /// The URL of the server, with the password masked.
    pub fn redis_url_masked(&self) -> String {
        mask(&self.connection.read().url)
    }

    /// Sets the URL of the server.
    pub fn set_redis_url(&self, url: &str) -> Result<()> {
        Endpoint::parse(url)?;
        self.connect(|connection| connection.url = url.to_owned())
    }

    /// Sets user and password; `None` is what the URL says.
    pub fn set_redis_login(&self, user: Option<&str>, password: Option<&str>) -> Result<()> {
        self.connect(|connection| {
            connection.user = user.map(str::to_owned);
            connection.password = password.map(Secret::new);
        })
    }

    /// Sets the time that one operation at the server may take; overrides the URL.
    pub fn set_redis_timeout(&self, timeout: Duration) -> Result<()> {
        let known = self.connection.read().url.clone();
        Endpoint { timeout, ..Endpoint::parse(&known)? }.check()?;
        self.connect(|connection| connection.timeout = Some(timeout))
    }

    /// The time that one operation at the server may take.
    pub fn redis_timeout(&self) -> Result<Duration> {
        let connection = self.connection.read();
        Ok(connection.timeout.unwrap_or(Endpoint::parse(&connection.url)?.timeout))
    }

    /// Changes the connection settings of caches that are made from now on.
    fn connect(&self, change: impl FnOnce(&mut Connection)) -> Result<()> {
        let mut connection = self.connection.write();
        change(&mut connection);
        connection.server = None;
        Ok(())
    }

    /// The server and the namespace in which caches keep values.
    pub fn redis_location(&self) -> Result<RedisLocation> {
        let mut connection = self.connection.write();
        let server = match &connection.server {
            Some(server) => server.clone(),
            None => {
                let mut endpoint = Endpoint::parse(&connection.url)?;
                endpoint.user = connection.user.clone().or(endpoint.user);
                endpoint.password = connection.password.clone().or(endpoint.password);
                endpoint.timeout = connection.timeout.unwrap_or(endpoint.timeout);
                let server = Arc::new(Server::new(endpoint)?);
                connection.server = Some(server.clone());
                server
            }
        };
        let namespace = (!connection.whole_database).then(|| connection.namespace.clone());
        Ok(RedisLocation { server, namespace })
    }

    /// Whether caches own the whole database (PyPhi's mode).
    pub fn redis_whole_database(&self) -> bool {
        self.connection.read().whole_database
    }

    /// Makes caches own the whole database, or only a namespace. The environment cannot say this.
    pub fn set_redis_whole_database(&self, whole: bool) {
        self.connection.write().whole_database = whole;
    }

    /// The namespace of all our keys in Redis.
    pub fn redis_namespace(&self) -> String {
        self.connection.read().namespace.clone()
    }

    /// Sets the namespace.
    pub fn set_redis_namespace(&self, name: &str) -> Result<()> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(Error::invalid(format!("namespace \"{name}\"; expected 1 to 64 of A-Z a-z 0-9 _ . -")));
        }
        self.connection.write().namespace = name.to_owned();
        Ok(())
    }
}

/// A maximum must be 0 to 100 per cent, or unlimited.
pub(crate) fn check_maximum(percent: f64) -> Result<f64> {
    match (0.0..=100.0).contains(&percent) || percent == UNLIMITED {
        true => Ok(percent),
        false => {
            Err(Error::invalid(format!("a maximum of {percent} %; expected 0 to 100, or {UNLIMITED} (unlimited)")))
        }
    }
}

fn switch(text: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Error::invalid(format!("\"{text}\" is not a switch; expected 1, 0, true, false, yes, no, on or off"))),
    }
}

/// A URL with its password, in the authority or in the query, replaced by three stars.
fn mask(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => authority.to_owned(),
    };
    let (path, query) = tail.split_once('?').map_or((tail, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| {
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some((name @ ("pass" | "password"), _)) => format!("{name}=***"),
            _ => part.to_owned(),
        });
        format!("?{}", parts.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{authority}{path}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config> {
        Config::read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn defaults_then_environment_then_setters() {
        let config = read(&[]).unwrap();
        assert_eq!((config.maximum_memory(), config.repertoires(), config.purviews()), (50.0, true, true));
        assert_eq!((config.redis(), config.on_full()), (false, OnFull::Configured));
        let config = read(&[
            (variable::MAXIMUM_MEMORY, "12.5"),
            (variable::ON_FULL, " Evict "),
            (variable::REPERTOIRES, "Off"),
            (variable::PURVIEWS, "0"),
            (variable::REDIS, "yes"),
            (variable::REDIS_URL, ""),
            (variable::REDIS_NAMESPACE, "lab-7"),
        ])
        .unwrap();
        assert_eq!((config.maximum_memory(), config.repertoires(), config.purviews()), (12.5, false, false));
        assert_eq!((config.redis(), config.redis_namespace()), (true, "lab-7".into()));
        assert_eq!(config.on_full(), OnFull::Evict);
        config.set_maximum_memory(UNLIMITED).unwrap();
        config.set_on_full(OnFull::Refuse);
        assert_eq!((config.maximum_memory(), config.on_full()), (UNLIMITED, OnFull::Refuse));
        let memo = config.with_maximum_memory(5.0).unwrap();
        config.set_on_full(OnFull::Evict);
        assert_eq!((memo.maximum_memory(), memo.on_full(), memo.redis()), (5.0, OnFull::Evict, true));
    }

    #[test]
    fn an_invalid_variable_is_named() {
        for (name, value) in [
            (variable::MAXIMUM_MEMORY, "half"),
            (variable::MAXIMUM_MEMORY, "101"),
            (variable::MAXIMUM_MEMORY, "nan"),
            (variable::ON_FULL, "keep"),
            (variable::ON_FULL, "2"),
            (variable::REPERTOIRES, "maybe"),
            (variable::REDIS_NAMESPACE, "a:b"),
            (variable::REDIS_URL, "http://secret@host"),
        ] {
            let message = read(&[(name, value)]).err().unwrap().to_string();
            assert!(message.contains(name) && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn passwords_are_masked() {
        for (url, masked) in [
            ("redis://:secret@host:1/2", "redis://:***@host:1/2"),
            ("rediss://me:sec:r@et@host/0#insecure", "rediss://me:***@host/0#insecure"),
            ("redis://host", "redis://host"),
            ("unix:///tmp/r.sock?db=1&pass=secret", "unix:///tmp/r.sock?db=1&pass=***"),
        ] {
            assert_eq!(mask(url), masked);
        }
    }
}
