//! Configuration
//!
//! Settings come from defaults, then from the environment (`PHICACHE_…`, read once, at the first use), then from
//! setters. A cache takes a configuration when it is made, and shares it from then on: a new percentage or switch
//! applies to it at once, but connection settings are read only when the cache is made. Where a configuration may be
//! NULL, NULL is the process default; setters change it for every cache that was made with it. All threads may use a
//! configuration at once.
//!
//! | setting | default | variable |
//! |---|---|---|
//! | maximum memory, in per cent | 50 | `PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE` |
//! | what full caches do | depends on the limit (0) | `PHICACHE_ON_FULL` |
//! | cache repertoires | 1 | `PHICACHE_CACHE_REPERTOIRES` |
//! | cache potential purviews | 1 | `PHICACHE_CACHE_POTENTIAL_PURVIEWS` |
//! | keep MICE in Redis | 0 | `PHICACHE_REDIS_CACHE` |
//! | Redis URL | `redis://127.0.0.1:6379/0` | `PHICACHE_REDIS_URL` |
//! | Redis namespace | `phicache` | `PHICACHE_REDIS_NAMESPACE` |
//! | Redis user, password | those of the URL | `PHICACHE_REDIS_USER`, `PHICACHE_REDIS_PASSWORD` |
//! | Redis timeout, in milliseconds | that of the URL, or 1000 | `PHICACHE_REDIS_TIMEOUT_MS` |
//! | the whole Redis database | 0 | none |
//! | directory of disk caches | `~/.cache/phicache`, if that is on a local disk | `PHICACHE_DISK_DIRECTORY` |
//!
//! If a variable is invalid, the first use fails with ERROR_CONFIGURATION, and the message names the variable. If a
//! name is nearly one of these, or that of an option of caches (`PHICACHE_MAX_BYTES`), the first use prints one line to
//! the standard error, with what was probably meant. An empty variable counts as unset. Switches in the environment are
//! 1, 0, true, false, yes, no, on or off; what full caches do is refuse or evict.
//!
//! ```c
//! phicache_config *config;
//! phicache_dict_cache *cache;
//! if (phicache_config_new(&config) != PHICACHE_OK) return 1;
//! phicache_config_set_maximum_memory_percent(config, 25.0);
//! if (phicache_dict_cache_new(config, NULL, &cache) != PHICACHE_OK) return 1;
//! phicache_config_free(config);  // the cache keeps the settings
//! use(cache);
//! phicache_dict_cache_free(cache);
//! ```

use std::time::Duration;

use crate::config::{Config, OnFull};
use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::ConfigHandle;
use crate::ffi::border::input::text_buffer;

/// Makes a new configuration from the defaults and the environment.
///
/// @param out  The configuration. Free it with `phicache_config_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_config_new(out: *mut *mut phicache_config) -> phicache_status {
    catch_panics("phicache_config_new", || {
        let out = self::out(out, "out")?;
        *out = create(ConfigHandle(Config::new()?))?;
        Ok(PHICACHE_OK)
    })
}

/// Tells which variables in the environment are probably mistyped: they have no effect, and their names are nearly
/// those of variables that are read, or those of options of caches. The first use of a configuration prints the same
/// line.
///
/// @param buffer    [nullable] Receives the text and a NUL, empty if there are no such variables; may be NULL if
///                  `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the text without its NUL, also if it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_mistyped_variables(
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_config_mistyped_variables", || {
        write_text(buffer, capacity, out_len, || Ok(Config::mistyped_variables()))
    })
}

/// Frees a configuration. Caches that were made with it keep using it.
///
/// @param config  [nullable] The configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_free(config: *mut phicache_config) -> phicache_status {
    catch_panics("phicache_config_free", || free::<ConfigHandle, _>(config, "config").map(|_| PHICACHE_OK))
}

/// Sets the maximum memory: the percentage of the memory that this process may use, up to which caches store values.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param percent  0 to 100, not a fraction: 80 is 80 %, and 0.8 is less than one per cent. 0 stores nothing.
///                 `PHICACHE_MEMORY_UNLIMITED` is no limit; the hard limits remain (see "The library").
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_maximum_memory_percent(
    config: *mut phicache_config,
    percent: f64,
) -> phicache_status {
    catch_panics("phicache_config_set_maximum_memory_percent", || {
        self::config(config)?.set_maximum_memory(percent)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets the maximum memory.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param out_percent  0 to 100, or `PHICACHE_MEMORY_UNLIMITED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_maximum_memory_percent(
    config: *mut phicache_config,
    out_percent: *mut f64,
) -> phicache_status {
    catch_panics("phicache_config_get_maximum_memory_percent", || {
        let out = out(out_percent, "out_percent")?;
        *out = self::config(config)?.maximum_memory();
        Ok(PHICACHE_OK)
    })
}

/// Sets what full caches do with a new value, for all caches with this configuration if their options leave it open.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param on_full  One of `PHICACHE_ON_FULL_…`; the default depends on the limit (see "The library").
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_on_full(config: *mut phicache_config, on_full: i32) -> phicache_status {
    catch_panics("phicache_config_set_on_full", || {
        self::config(config)?.set_on_full(OnFull::from_number(on_full)?);
        Ok(PHICACHE_OK)
    })
}

/// Gets what full caches do with a new value.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param out_on_full  One of `PHICACHE_ON_FULL_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_on_full(
    config: *mut phicache_config,
    out_on_full: *mut i32,
) -> phicache_status {
    catch_panics("phicache_config_get_on_full", || {
        let out = out(out_on_full, "out_on_full")?;
        *out = self::config(config)?.on_full() as i32;
        Ok(PHICACHE_OK)
    })
}

/// Switches repertoire caching. While it is off, methods with PHICACHE_METHOD_REPERTOIRE bypass their caches.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  0 is off, any other number is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_cache_repertoires(
    config: *mut phicache_config,
    enabled: i32,
) -> phicache_status {
    catch_panics("phicache_config_set_cache_repertoires", || set(config, |config| config.set_repertoires(enabled != 0)))
}

/// Tells whether repertoires are cached.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param out_enabled  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_cache_repertoires(
    config: *mut phicache_config,
    out_enabled: *mut i32,
) -> phicache_status {
    catch_panics("phicache_config_get_cache_repertoires", || get(config, out_enabled, Config::repertoires))
}

/// Switches purview caching. While it is off, purview caches store nothing.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  0 is off, any other number is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_cache_potential_purviews(
    config: *mut phicache_config,
    enabled: i32,
) -> phicache_status {
    catch_panics("phicache_config_set_cache_potential_purviews", || {
        set(config, |config| config.set_purviews(enabled != 0))
    })
}

/// Tells whether potential purviews are cached.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param out_enabled  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_cache_potential_purviews(
    config: *mut phicache_config,
    out_enabled: *mut i32,
) -> phicache_status {
    catch_panics("phicache_config_get_cache_potential_purviews", || get(config, out_enabled, Config::purviews))
}

/// Sets the directory of disk caches that are made from now on. It is made, with mode 700, when a cache needs it.
///
/// @param config  [nullable] The configuration; NULL is the process default.
/// @param path    [nullable] An absolute path. NULL is the default: `phicache` in the user's cache directory
///                (`XDG_CACHE_HOME` or `~/.cache`) if that is on a local file system, or else
///                `/var/tmp/phicache-UID`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_disk_directory(
    config: *mut phicache_config,
    path: *const c_char,
) -> phicache_status {
    catch_panics("phicache_config_set_disk_directory", || {
        self::config(config)?.set_disk_directory(optional_text(path, "path")?)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets the directory of disk caches.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param buffer    [nullable] Receives the text and a NUL; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the text without its NUL, also if it does not fit.
/// @return OK; ERROR_INVALID_ARGUMENT if none was set and there is no default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_disk_directory(
    config: *mut phicache_config,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_config_get_disk_directory", || {
        get_text(config, buffer, capacity, out_len, |config| {
            Ok(config.disk_directory()?.to_string_lossy().into_owned())
        })
    })
}

/// Switches Redis for the MICE caches of `phicache_mice_cache_new`.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  0 is off, any other number is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_cache(
    config: *mut phicache_config,
    enabled: i32,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_cache", || set(config, |config| config.set_redis(enabled != 0)))
}

/// Tells whether `phicache_mice_cache_new` makes caches in Redis.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param out_enabled  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_cache(
    config: *mut phicache_config,
    out_enabled: *mut i32,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_cache", || get(config, out_enabled, Config::redis))
}

/// Sets the URL of the Redis server.
///
/// | form | meaning |
/// |---|---|
/// | `redis://[user[:password]@]host[:port][/database]` | TCP |
/// | `rediss://…` | TLS over TCP |
/// | `redis://…@host:port,host:port,…` | a cluster: all its nodes, or some |
/// | `unix://[user[:password]@]/path[?db=1]` | a unix socket |
///
/// Parameters follow after a `?`, joined by `&`: `db`, `user`, `pass`, `timeout_ms`, `cluster=yes`, and for TLS `ca`,
/// `cert` and `key` (files in PEM), `name` (the name that the server's certificate must have), `pin` (the SHA-256
/// fingerprint of the certificate that is trusted) and `verify=no`. Text may be percent-encoded.
///
/// @param config  [nullable] The configuration; NULL is the process default.
/// @param url     The URL. No message contains it, since it may hold a password.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_url(
    config: *mut phicache_config,
    url: *const c_char,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_url", || {
        self::config(config)?.set_redis_url(text(url, "url")?)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets the URL of the Redis server, with the password masked.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param buffer    [nullable] Receives the text and a NUL; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the text without its NUL, also if it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_url(
    config: *mut phicache_config,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_url", || {
        get_text(config, buffer, capacity, out_len, |config| Ok(config.redis_url_masked()))
    })
}

/// Sets the namespace, the prefix of all keys of this library at the server.
///
/// @param config  [nullable] The configuration; NULL is the process default.
/// @param name    1 to 64 of `A-Z a-z 0-9 _ . -`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_namespace(
    config: *mut phicache_config,
    name: *const c_char,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_namespace", || {
        self::config(config)?.set_redis_namespace(text(name, "name")?)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets the namespace.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param buffer    [nullable] Receives the text and a NUL; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the text without its NUL, also if it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_namespace(
    config: *mut phicache_config,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_namespace", || {
        get_text(config, buffer, capacity, out_len, |config| Ok(config.redis_namespace()))
    })
}

/// Sets the login at the Redis server, instead of that in the URL.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param user      [nullable] The user; NULL is that of the URL, or else the server's default user.
/// @param password  [nullable] The password; NULL is that of the URL, or else none. No message contains it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_login(
    config: *mut phicache_config,
    user: *const c_char,
    password: *const c_char,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_login", || {
        let (user, password) = (optional_text(user, "user")?, optional_text(password, "password")?);
        self::config(config)?.set_redis_login(user, password)?;
        Ok(PHICACHE_OK)
    })
}

/// Sets the timeout of one operation at the Redis server, from its start to its last byte, including connecting and
/// logging in. Only resolving a host name may take longer.
///
/// @param config        [nullable] The configuration; NULL is the process default.
/// @param milliseconds  1 to 3,600,000.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_timeout_ms(
    config: *mut phicache_config,
    milliseconds: u64,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_timeout_ms", || {
        self::config(config)?.set_redis_timeout(Duration::from_millis(milliseconds))?;
        Ok(PHICACHE_OK)
    })
}

/// Gets the timeout of one operation at the Redis server.
///
/// @param config            [nullable] The configuration; NULL is the process default.
/// @param out_milliseconds  The milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_timeout_ms(
    config: *mut phicache_config,
    out_milliseconds: *mut u64,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_timeout_ms", || {
        let out = out(out_milliseconds, "out_milliseconds")?;
        *out = self::config(config)?.redis_timeout()?.as_millis() as u64;
        Ok(PHICACHE_OK)
    })
}

/// Gives caches in Redis the whole database, as in PyPhi. Applies to caches that are made from now on.
///
/// Keys are stored as they are given, those of a shared cache after `{fingerprint}@role:`. `clear` of any cache is
/// FLUSHDB and CONFIG RESETSTAT, `size` is DBSIZE, and hits and misses are those of the server, for all its clients. A
/// MICE key is prefixed with `subsys:`, the identity of subsystem and cut, and `:`. A child looks up its own key and
/// then its parent's, every time. No other program may use the database.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  0 is off, the default: caches use only the keys of the namespace. Any other number is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_whole_database(
    config: *mut phicache_config,
    enabled: i32,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_whole_database", || {
        set(config, |config| config.set_redis_whole_database(enabled != 0))
    })
}

/// Tells whether new caches in Redis have the whole database.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param out_enabled  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_whole_database(
    config: *mut phicache_config,
    out_enabled: *mut i32,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_whole_database", || get(config, out_enabled, Config::redis_whole_database))
}

fn set(config: *mut phicache_config, apply: impl FnOnce(&Config)) -> Result<phicache_status> {
    apply(&*self::config(config)?);
    Ok(PHICACHE_OK)
}

fn get(config: *mut phicache_config, out: *mut i32, ask: impl FnOnce(&Config) -> bool) -> Result<phicache_status> {
    let out = self::out(out, "out_enabled")?;
    *out = ask(&*self::config(config)?).into();
    Ok(PHICACHE_OK)
}

fn get_text(
    config: *mut phicache_config,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
    ask: impl FnOnce(&Config) -> Result<String>,
) -> Result<phicache_status> {
    write_text(buffer, capacity, out_len, || ask(&*self::config(config)?))
}

fn write_text(
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
    text: impl FnOnce() -> Result<String>,
) -> Result<phicache_status> {
    let out_len = out(out_len, "out_len")?;
    let buffer = text_buffer(buffer, capacity, "buffer")?;
    let text = text()?;
    *out_len = text.len();
    let capacity = buffer.len();
    let Some(room) = buffer.get_mut(..text.len() + 1) else {
        return Err(Error::BufferTooSmall { needed: text.len() + 1, capacity });
    };
    room[..text.len()].copy_from_slice(text.as_bytes());
    room[text.len()] = 0;
    Ok(PHICACHE_OK)
}
