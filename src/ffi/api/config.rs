//! Configuration
//!
//! Settings come from defaults, then the environment (`PHICACHE_…`, read once, at the first use), then setters. A cache
//! takes a configuration when it is made and keeps a share in it: percentages and switches act on it at once, connection
//! settings are read when the cache is made. Wherever a configuration may be NULL, that is the process default, which
//! setters change for every cache made with it. A configuration may be used from any thread.
//!
//! | setting | default | variable |
//! |---|---|---|
//! | maximum memory, in per cent | 50 | `PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE` |
//! | cache repertoires | 1 | `PHICACHE_CACHE_REPERTOIRES` |
//! | cache potential purviews | 1 | `PHICACHE_CACHE_POTENTIAL_PURVIEWS` |
//! | keep MICE in Redis | 0 | `PHICACHE_REDIS_CACHE` |
//! | Redis URL | `redis://127.0.0.1:6379/0` | `PHICACHE_REDIS_URL` |
//! | Redis namespace | `phicache` | `PHICACHE_REDIS_NAMESPACE` |
//! | Redis user, password | those of the URL | `PHICACHE_REDIS_USER`, `PHICACHE_REDIS_PASSWORD` |
//! | Redis timeout, in milliseconds | that of the URL, or 1000 | `PHICACHE_REDIS_TIMEOUT_MS` |
//! | the whole Redis database | 0 | none |
//!
//! An invalid variable makes the first use fail with ERROR_CONFIGURATION, and the message names it; an empty one counts
//! as unset. Switches in the environment are 1, 0, true, false, yes, no, on or off.
//!
//! ```c
//! phicache_config *config;
//! phicache_dict_cache *cache;
//! if (phicache_config_new(&config) != PHICACHE_OK) return 1;
//! phicache_config_set_maximum_memory_percent(config, 25.0);
//! if (phicache_dict_cache_new(config, NULL, &cache) != PHICACHE_OK) return 1;
//! phicache_config_free(config);  // the cache keeps its share
//! use(cache);
//! phicache_dict_cache_free(cache);
//! ```

use std::time::Duration;

use crate::config::Config;
use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::ConfigHandle;
use crate::ffi::border::input::text_buffer;

/// Makes a configuration of its own: the defaults, and what the environment says.
///
/// @param out  The configuration, to be freed by `phicache_config_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_config_new(out: *mut *mut phicache_config) -> phicache_status {
    catch_panics("phicache_config_new", || {
        let out = self::out(out, "out")?;
        *out = create(ConfigHandle(Config::new()?))?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a configuration; caches made with it keep their share.
///
/// @param config  [nullable] The configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_free(config: *mut phicache_config) -> phicache_status {
    catch_panics("phicache_config_free", || free::<ConfigHandle, _>(config, "config").map(|_| PHICACHE_OK))
}

/// Sets the part of the memory that this process may use up to which caches store.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param percent  0 to 100; 0 stores nothing. `PHICACHE_MEMORY_UNLIMITED` lifts the limit; the walls stay
///                 (see "The library").
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

/// Tells the maximum memory.
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

/// Switches repertoire caching: while off, methods flagged as repertoires go straight through.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  Nonzero is on.
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

/// Switches purview caching: while off, purview caches store nothing.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  Nonzero is on.
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

/// Switches Redis for MICE caches that choose by configuration.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  Nonzero is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_cache(
    config: *mut phicache_config,
    enabled: i32,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_cache", || set(config, |config| config.set_redis(enabled != 0)))
}

/// Tells whether MICE are kept in Redis.
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

/// Sets where the Redis server is.
///
/// | form | meaning |
/// |---|---|
/// | `redis://[user[:password]@]host[:port][/database]` | TCP |
/// | `rediss://…` | TLS over TCP |
/// | `redis://…@host:port,host:port,…` | the nodes of a cluster, or some of them |
/// | `unix://[user[:password]@]/path[?db=1]` | a unix socket |
///
/// After a `?` may stand, joined by `&`: `db`, `user`, `pass`, `timeout_ms`, `cluster=yes`, and for TLS `ca`, `cert` and `key`
/// (files in PEM) and `verify=no`. Text may be percent-encoded.
///
/// @param config  [nullable] The configuration; NULL is the process default.
/// @param url     The URL. Messages never repeat it.
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

/// Tells where the Redis server is, with the password masked.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param buffer    [nullable] Where the text is written, with a NUL; may be NULL if `capacity` is 0.
/// @param capacity  Bytes of the buffer.
/// @param out_len   Bytes of the text without its NUL, also when it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_url(
    config: *mut phicache_config,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_url", || {
        get_text(config, buffer, capacity, out_len, Config::redis_url_masked)
    })
}

/// Sets what all keys of this library in Redis begin with.
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

/// Tells the namespace.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param buffer    [nullable] Where the text is written, with a NUL; may be NULL if `capacity` is 0.
/// @param capacity  Bytes of the buffer.
/// @param out_len   Bytes of the text without its NUL, also when it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_get_redis_namespace(
    config: *mut phicache_config,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_config_get_redis_namespace", || {
        get_text(config, buffer, capacity, out_len, Config::redis_namespace)
    })
}

/// Sets who logs in at the Redis server, in place of what the URL says.
///
/// @param config    [nullable] The configuration; NULL is the process default.
/// @param user      [nullable] The user; NULL is that of the URL, or the server's default user.
/// @param password  [nullable] The password; NULL is that of the URL, or none. No message ever has it.
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

/// Sets what one operation at the Redis server may take, from its beginning to its last byte, connecting and logging in
/// included. Only resolving a name may take longer.
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

/// Tells what one operation at the Redis server may take.
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

/// Lets caches in Redis have the whole database, as PyPhi's do, for caches that are made from now on.
///
/// Keys are as they are given, `clear` is FLUSHDB and CONFIG RESETSTAT, `size` is DBSIZE, and hits and misses are the
/// server's own, whoever caused them. A MICE key has `subsys:`, the identity of subsystem and cut, and `:` before it; a
/// child asks for its own key first and then for its parent's, every time. No other program may use the database.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param enabled  0 is off, the default: caches use the keys of the namespace and no others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_config_set_redis_whole_database(
    config: *mut phicache_config,
    enabled: i32,
) -> phicache_status {
    catch_panics("phicache_config_set_redis_whole_database", || {
        set(config, |config| config.set_redis_whole_database(enabled != 0))
    })
}

/// Tells whether caches in Redis have the whole database.
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
    ask: impl FnOnce(&Config) -> String,
) -> Result<phicache_status> {
    let out_len = out(out_len, "out_len")?;
    let buffer = text_buffer(buffer, capacity, "buffer")?;
    let text = ask(&*self::config(config)?);
    *out_len = text.len();
    let capacity = buffer.len();
    let Some(room) = buffer.get_mut(..text.len() + 1) else {
        return Err(Error::BufferTooSmall { needed: text.len() + 1, capacity });
    };
    room[..text.len()].copy_from_slice(text.as_bytes());
    room[text.len()] = 0;
    Ok(PHICACHE_OK)
}
