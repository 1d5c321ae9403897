//! Memo and method
//!
//! A memo is a function with its cache (PyPhi's `cache` decorator). A method is a function that keeps its values in the
//! cache of the object that it is called on (PyPhi's `method` decorator). All threads may call them at once; one thread
//! at a time may use a list of arguments.
//!
//! A function may call its own memo for other arguments. On a stack of 8 MiB such calls nest 20,000 levels deep: the
//! library takes at most 256 bytes for each level, in addition to the function's own frame. The same holds for
//! `memoize` and methods.
//!
//! ```c
//! phicache_memo *entropy;
//! phicache_key *arguments;
//! phicache_value value;
//! double p[] = { 0.25, 0.75 };
//! if (phicache_memo_new(NULL, compute, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &entropy) !=
//!         PHICACHE_OK || phicache_key_new(&arguments) != PHICACHE_OK) return 1;
//! phicache_key_add_doubles(arguments, p, 2);
//! if (phicache_memo_call(entropy, arguments, p, &value, NULL) == PHICACHE_OK) {  // compute gets p as its call_data
//!     use(value.data, value.len);
//!     phicache_value_release(&value);
//! }
//! phicache_key_free(arguments);
//! phicache_memo_free(entropy);
//! ```

use crate::cache::{Memo, Method, MethodLookup};
use crate::error::try_owned;
use crate::ffi::api::prelude::*;
use crate::ffi::border::function::{Bound, Function, bind};
use crate::ffi::border::handles::{MemoByKey, MemoHandle, MethodByKey, MethodHandle, memo, method};
use crate::ffi::border::input::bytes_at;
use crate::ffi::border::parts::with_joined;
use crate::ffi::border::result::Task;
use crate::sync::TryArc;

/// For a method: bypass the cache while repertoire caching is off in the cache's configuration.
pub const PHICACHE_METHOD_REPERTOIRE: u32 = 1;

/// Makes a memo.
///
/// @param config                  [nullable] The configuration; NULL is the process default.
/// @param compute                 Computes a value of the function.
/// @param user_data               [nullable] Passed to `compute` in every call.
/// @param drop                    [nullable] Frees `user_data`. Called once: after the last call of the function has
///                                ended, or when this call fails.
/// @param maximum_memory_percent  0 to 100; 0 stores nothing. Or `PHICACHE_MEMORY_UNLIMITED`, or
///                                `PHICACHE_MEMORY_CONFIGURED`. If `cache` is given, its own limit applies too; if it
///                                is in Redis or on disk, a percentage is an ERROR_INVALID_ARGUMENT.
/// @param typed                   0: arguments of equal value are equal. Any other number: numbers of different types
///                                differ.
/// @param cache                   [nullable] The cache to use; its handle may be freed afterwards. NULL makes a private
///                                dict cache.
/// @param prefix                  [nullable] Separates the values of several memos that use one cache. Two memos with
///                                the same prefix on one cache are an error, and so is a prefix without a cache.
/// @param out                     The memo. Free it with `phicache_memo_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_memo_new(
    config: *mut phicache_config,
    compute: phicache_compute,
    user_data: *mut c_void,
    drop: phicache_drop,
    maximum_memory_percent: f64,
    typed: i32,
    cache: *mut phicache_cache,
    prefix: *const c_char,
    out: *mut *mut phicache_memo,
) -> phicache_status {
    // Made first, so that `drop` is called even if the parameters are invalid.
    let function = Function::new(compute, user_data, drop);
    catch_panics("phicache_memo_new", || {
        let out = self::out(out, "out")?;
        let memo = bind(function, || {
            let maximum = (maximum_memory_percent != PHICACHE_MEMORY_CONFIGURED).then_some(maximum_memory_percent);
            let cache = if cache.is_null() { None } else { Some(cache_of(cache)?.clone()) };
            let prefix = optional_text(prefix, "prefix")?.map(try_owned).transpose()?;
            Memo::new(self::config(config)?, maximum, typed != 0, cache, prefix)
        })?;
        *out = create(MemoHandle(memo))?;
        Ok(PHICACHE_OK)
    })
}

/// Destroys the memo, and its cache if that is private. Pinned values stay valid.
///
/// @param memo  [nullable] The memo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_free(memo: *mut phicache_memo) -> phicache_status {
    catch_panics("phicache_memo_free", || free::<MemoHandle, _>(memo, "memo").map(|_| PHICACHE_OK))
}

/// Gets the function's value for these arguments, which is computed on a miss. Counts a hit or a miss.
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param memo           The memo.
/// @param args           The arguments.
/// @param call_data      [nullable] Passed to the function; for example the unpacked arguments.
/// @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
/// @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
///         an error nothing is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_call(
    memo: *mut phicache_memo,
    args: *mut phicache_key,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::call_memo(memo, args, out, callback_code)
        .unwrap_or_else(|| call_memo(memo, args, call_data, out, callback_code))
}

#[inline(never)]
extern "C" fn call_memo(
    memo: *mut phicache_memo,
    args: *mut phicache_key,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    callback::compute(memo, args, (), call_data, out, callback_code)
}

impl Computes for phicache_memo {
    const FUNCTION: &'static str = "phicache_memo_call";
    type Key = *mut phicache_key;
    type Given = ();
    // The callback may free the memo: this share keeps it alive while it runs.
    type Keep = TryArc<Bound<Memo>>;
    type Outputs = *mut phicache_value;

    fn look_up(memo: *mut Self, args: *mut phicache_key, (): ()) -> Result<(TaskLookup, Self::Keep)> {
        let memo = self::memo(memo)?.clone();
        // The callback may also change the arguments: nothing reads them after this.
        let answer = memo.what.get_or_reserve(key_builder(args, "args")?)?.into();
        Ok((answer, memo))
    }
}

/// Gets the function's value as `phicache_memo_call` does, by the key of the arguments: without a list of arguments,
/// for callers that encode arguments themselves (`docs/keys.md`).
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param memo           The memo.
/// @param args           The key of the arguments, as `phicache_key_bytes` makes it, typed as the memo is. Read before
///                       the function is called, not afterwards.
/// @param call_data      [nullable] Passed to the function; for example the unpacked arguments.
/// @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
/// @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
///         an error nothing is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_call_key(
    memo: *mut phicache_memo,
    args: *const phicache_bytes,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::call_memo_key(memo, args, out, callback_code)
        .unwrap_or_else(|| call_memo_key(memo, args, call_data, out, callback_code))
}

#[inline(never)]
extern "C" fn call_memo_key(
    memo: *mut phicache_memo,
    args: *const phicache_bytes,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    callback::compute(MemoByKey::of(memo), args, (), call_data, out, callback_code)
}

impl Computes for MemoByKey {
    const FUNCTION: &'static str = "phicache_memo_call_key";
    type Key = *const phicache_bytes;
    type Given = ();
    // As in a call by arguments.
    type Keep = TryArc<Bound<Memo>>;
    type Outputs = *mut phicache_value;

    fn look_up(memo: *mut Self, args: *const phicache_bytes, (): ()) -> Result<(TaskLookup, Self::Keep)> {
        let memo = self::memo(MemoByKey::memo(memo))?.clone();
        let pieces = memo.what.pieces(bytes_at(args, "args")?).ok_or_else(not_its_arguments)?;
        let answer = with_joined(pieces, |key| memo.what.get_or_reserve_by(key))?.into();
        Ok((answer, memo))
    }
}

#[cold]
fn not_its_arguments() -> Error {
    Error::invalid(
        "args is not the key of a list of arguments, typed as the memo or method is; make it with phicache_key_bytes \
         (typed for a typed memo, untyped for other memos and for methods)",
    )
}

/// Gets the memo's own hits and misses, and the size of its cache.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param memo  The memo.
/// @param out   The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_info(memo: *mut phicache_memo, out: *mut phicache_info) -> phicache_status {
    catch_panics("phicache_memo_info", || {
        let out = self::out(out, "out")?;
        *out = self::memo(memo)?.what.info()?.into();
        Ok(PHICACHE_OK)
    })
}

/// Clears the memo's cache, also for all others that use it, and sets the memo's counts to zero.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param memo  The memo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_clear(memo: *mut phicache_memo) -> phicache_status {
    catch_panics("phicache_memo_clear", || self::memo(memo)?.what.clear().map(|()| PHICACHE_OK))
}

/// Gets the function and its user data, to call it without the cache.
///
/// @param memo           The memo.
/// @param out_compute    The function.
/// @param out_user_data  Its user data, valid as long as the memo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_wrapped(
    memo: *mut phicache_memo,
    out_compute: *mut phicache_compute,
    out_user_data: *mut *mut c_void,
) -> phicache_status {
    catch_panics("phicache_memo_wrapped", || {
        let outs = (out(out_compute, "out_compute"), out(out_user_data, "out_user_data"));
        let (out_compute, out_user_data) = (outs.0?, outs.1?);
        let callback = self::memo(memo)?.function.callback();
        (*out_compute, *out_user_data) = (callback.compute, callback.user_data);
        Ok(PHICACHE_OK)
    })
}

/// Makes a method: a function and a prefix, under which caches keep its values.
///
/// @param prefix     [nullable] The first element of each key, before the arguments; NULL is "none". Functions with
///                   one prefix would read each other's values where they use one cache: a call that finds no value
///                   there is an error if another method, or a memo, has used the prefix on that cache and still
///                   exists.
/// @param flags      0, or `PHICACHE_METHOD_REPERTOIRE`.
/// @param compute    Computes a value of the function; its `call_data` is the object.
/// @param user_data  [nullable] Passed to `compute` in every call.
/// @param drop       [nullable] Frees `user_data`. Called once: after the last call of the function has ended, or when
///                   this call fails.
/// @param out        The method. Free it with `phicache_method_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_method_new(
    prefix: *const c_char,
    flags: u32,
    compute: phicache_compute,
    user_data: *mut c_void,
    drop: phicache_drop,
    out: *mut *mut phicache_method,
) -> phicache_status {
    // Made first, so that `drop` is called even if the parameters are invalid.
    let function = Function::new(compute, user_data, drop);
    catch_panics("phicache_method_new", || {
        let out = self::out(out, "out")?;
        let method = bind(function, || {
            if flags & !PHICACHE_METHOD_REPERTOIRE != 0 {
                return Err(Error::invalid(format!("flags {flags:#x}; expected 0 or PHICACHE_METHOD_REPERTOIRE (1)")));
            }
            let prefix = optional_text(prefix, "prefix")?.map(try_owned).transpose()?;
            Method::new(prefix, flags & PHICACHE_METHOD_REPERTOIRE != 0)
        })?;
        *out = create(MethodHandle(method))?;
        Ok(PHICACHE_OK)
    })
}

/// Destroys the method. The caches keep its values.
///
/// @param method  [nullable] The method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_method_free(method: *mut phicache_method) -> phicache_status {
    catch_panics("phicache_method_free", || free::<MethodHandle, _>(method, "method").map(|_| PHICACHE_OK))
}

/// Gets the method's value for an object and arguments, from the object's cache, or computed on a miss.
///
/// The key is that of `phicache_cache_key` for the method's prefix and the arguments. It does not contain the object,
/// so objects with one cache read each other's values. A call that bypasses the cache looks up, stores and counts
/// nothing; its `out->origin` is NOT_STORED and REFUSED_DISABLED.
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param method         The method.
/// @param cache          The object's cache.
/// @param object         [nullable] The object, passed to the function as its `call_data`.
/// @param args           The arguments.
/// @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
/// @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
///         an error nothing is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_method_call(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    object: *mut c_void,
    args: *mut phicache_key,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::call_method(method, cache, args, out, callback_code)
        .unwrap_or_else(|| call_method(method, cache, object, args, out, callback_code))
}

#[inline(never)]
extern "C" fn call_method(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    object: *mut c_void,
    args: *mut phicache_key,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    callback::compute(method, (cache, args), (), object, out, callback_code)
}

impl Computes for phicache_method {
    const FUNCTION: &'static str = "phicache_method_call";
    type Key = (*mut phicache_cache, *mut phicache_key);
    type Given = ();
    // The callback may free the method: this share keeps it alive while it runs.
    type Keep = TryArc<Bound<Method>>;
    type Outputs = *mut phicache_value;

    fn look_up(method: *mut Self, (cache, args): Self::Key, (): ()) -> Result<(TaskLookup, Self::Keep)> {
        let method = self::method(method)?.clone();
        let answer = method.what.get_or_reserve(cache_of(cache)?, key_builder(args, "args")?)?;
        Ok((task(answer), method))
    }
}

/// Gets the method's value as `phicache_method_call` does, by the key of the arguments: without a list of arguments,
/// for callers that encode arguments themselves (`docs/keys.md`).
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param method         The method.
/// @param cache          The object's cache.
/// @param object         [nullable] The object, passed to the function as its `call_data`.
/// @param args           The untyped key of the arguments, as `phicache_key_bytes` makes it. Read before the function
///                       is called, not afterwards.
/// @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
/// @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
///         an error nothing is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_method_call_key(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    object: *mut c_void,
    args: *const phicache_bytes,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::call_method_key(method, cache, args, out, callback_code)
        .unwrap_or_else(|| call_method_key(method, cache, object, args, out, callback_code))
}

#[inline(never)]
extern "C" fn call_method_key(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    object: *mut c_void,
    args: *const phicache_bytes,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    callback::compute(MethodByKey::of(method), (cache, args), (), object, out, callback_code)
}

impl Computes for MethodByKey {
    const FUNCTION: &'static str = "phicache_method_call_key";
    type Key = (*mut phicache_cache, *const phicache_bytes);
    type Given = ();
    // As in a call by arguments.
    type Keep = TryArc<Bound<Method>>;
    type Outputs = *mut phicache_value;

    fn look_up(method: *mut Self, (cache, args): Self::Key, (): ()) -> Result<(TaskLookup, Self::Keep)> {
        let (method, cache) = (self::method(MethodByKey::method(method))?.clone(), cache_of(cache)?);
        let pieces = method.what.pieces(bytes_at(args, "args")?).ok_or_else(not_its_arguments)?;
        let answer = with_joined(pieces, |key| method.what.get_or_reserve_by(cache, key))?;
        Ok((task(answer), method))
    }
}

/// Who computes a method's value.
fn task(answer: MethodLookup) -> TaskLookup {
    match answer {
        MethodLookup::Cached(lookup) => lookup.into(),
        MethodLookup::Uncached(key) => TaskLookup::Compute(Task::Private(key)),
    }
}
