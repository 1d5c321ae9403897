//! Memo and method
//!
//! A memo is PyPhi's `cache` decorator: a function with its cache. A method is PyPhi's `method` decorator: a function
//! that keeps its values in the cache of whatever object it is called on. Both may be called from any thread at once;
//! the arguments are for one thread at a time.
//!
//! A function may call its own memo for other arguments, 20,000 deep on a stack of 8 MiB: a level takes at most 256 bytes of
//! the library's, beside the function's own frame. `memoize` and methods nest as deep.
//!
//! ```c
//! phicache_memo *entropy;
//! phicache_key *arguments;
//! phicache_value value;
//! double p[] = { 0.25, 0.75 };
//! if (phicache_memo_new(NULL, compute, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &entropy) != PHICACHE_OK ||
//!     phicache_key_new(&arguments) != PHICACHE_OK) return 1;
//! phicache_key_add_doubles(arguments, p, 2);
//! if (phicache_memo_call(entropy, arguments, p, &value, NULL) == PHICACHE_OK) {  // compute gets p as its call_data
//!     use(value.data, value.len);
//!     phicache_value_release(&value);
//! }
//! phicache_key_free(arguments);
//! phicache_memo_free(entropy);
//! ```

use std::ffi::{c_char, c_void};

use crate::cache::{Memo, Method, MethodLookup};
use crate::error::{Error, Result, try_owned};
use crate::ffi::api::cache::as_any;
use crate::ffi::api::callback::{self, BEGUN, Call, Place, Task, Unwound, ready_unwinder};
use crate::ffi::api::key::builder;
use crate::ffi::border::fast_path;
use crate::ffi::border::handle::{create, free, get, handle, live, null};
use crate::ffi::border::input::{config, optional_text};
use crate::ffi::border::output::{optional, out};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::types::*;
use crate::memory::limit;
use crate::sync::TryArc;

/// A method that goes straight through while repertoire caching is off in its cache's configuration.
pub const PHICACHE_METHOD_REPERTOIRE: u32 = 1;

/// A caller's function and what it is bound to; dropped after the last call has ended.
struct Function {
    compute: phicache_compute,
    user_data: *mut c_void,
    drop: phicache_drop,
}

// SAFETY: that function and data may be used from any thread is the header's convention.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Drop for Function {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            let unwound = Unwound("a phicache_drop");
            // SAFETY: the function is what the caller says it is, by the header's conventions.
            unsafe { drop(self.user_data) };
            std::mem::forget(unwound);
        }
    }
}

/// What stands behind a memo or a method: the counted share lets a call outlive its handle.
struct Bound<M> {
    what: M,
    function: Function,
}

struct MemoHandle(TryArc<Bound<Memo>>);
handle!(MemoHandle, "phicache_memo", b"phi-memo");

struct MethodHandle(TryArc<Bound<Method>>);
handle!(MethodHandle, "phicache_method", b"phi-meth");

fn bind<M>(function: Function, what: impl FnOnce() -> Result<M>) -> Result<TryArc<Bound<M>>> {
    function.compute.ok_or_else(|| null("compute"))?;
    ready_unwinder();
    TryArc::try_new(Bound { what: what()?, function })
}

/// Makes a memo.
///
/// @param config                  [nullable] The configuration; NULL is the process default.
/// @param compute                 Computes a value of the function.
/// @param user_data               [nullable] Handed to `compute` at every call.
/// @param drop                    [nullable] Frees `user_data`: called once, after the last call has ended, also when
///                                this call fails.
/// @param maximum_memory_percent  0 to 100, beside what the configuration says of a caller's cache; 0 stores nothing.
///                                `PHICACHE_MEMORY_UNLIMITED`, or `PHICACHE_MEMORY_CONFIGURED`.
/// @param typed                   Nonzero: numbers of different types are different arguments.
/// @param cache                   [nullable] The cache to work on, which may be freed afterwards; NULL makes a private
///                                dict cache.
/// @param prefix                  [nullable] Keeps the values of several memos on one cache apart; two memos with one
///                                prefix on one cache are an error.
/// @param out                     The memo, to be freed by `phicache_memo_free`.
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
    // Made first, so that `drop` is called whatever fails.
    let function = Function { compute, user_data, drop };
    catch_panics("phicache_memo_new", || {
        let out = self::out(out, "out")?;
        let memo = bind(function, || {
            let maximum = (maximum_memory_percent != PHICACHE_MEMORY_CONFIGURED).then_some(maximum_memory_percent);
            let cache = if cache.is_null() { None } else { Some(as_any(cache)?.clone()) };
            let prefix = optional_text(prefix, "prefix")?.map(try_owned).transpose()?;
            Memo::new(self::config(config)?, maximum, typed != 0, cache, prefix)
        })?;
        *out = create(MemoHandle(memo))?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a memo, and its cache if that is private. Pins stay valid.
///
/// @param memo  [nullable] The memo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_free(memo: *mut phicache_memo) -> phicache_status {
    catch_panics("phicache_memo_free", || free::<MemoHandle, _>(memo, "memo").map(|_| PHICACHE_OK))
}

/// The function's value for these arguments, computed on a miss.
///
/// @param memo           The memo.
/// @param args           The arguments.
/// @param call_data      [nullable] Handed to the function, such as the unpacked arguments.
/// @param out            The value, pinned until `phicache_value_release`; `out->origin` tells where it came from.
/// @param callback_code  [nullable] What the function returned, whatever the status; 0 when it was not called.
/// @return OK; ERROR_CALLBACK when the function did not return 0; where its last reservation failed, the status of that. On
///         an error nothing was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_call(
    memo: *mut phicache_memo,
    args: *mut phicache_key,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::call(args, out, callback_code, |args| live::<MemoHandle, _>(memo)?.0.what.try_fast_hit(args))
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
    let mut place = Place::uninit();
    let begun = begin_memo(memo, args, out, callback_code, &mut place);
    if begun != BEGUN {
        return begun;
    }
    // SAFETY: it has begun.
    let returned = unsafe {
        let Function { compute, user_data, .. } = Call::keep(&place).function;
        Call::run(&mut place, MEMO, compute, user_data, call_data)
    };
    // SAFETY: as above.
    unsafe { end(MEMO, &mut place, returned, out, callback_code, |memo| memo.what.maximum()) }
}

const MEMO: &str = "phicache_memo_call";

#[inline(never)]
fn begin_memo(
    memo: *mut phicache_memo,
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
    place: &mut Place<TryArc<Bound<Memo>>>,
) -> phicache_status {
    catch_panics(MEMO, || {
        optional(code, "callback_code")?;
        let out = self::out(out, "out")?;
        // The callback may free the memo: this share keeps it alive while it runs.
        let memo = bound_memo(memo)?.clone();
        // The callback may also change the arguments: nothing of them is used once they were asked for.
        let asked = memo.what.get_or_reserve(builder(args, "args")?)?;
        callback::begin(place, asked, memo, |value| Ok(out.filled(value)))
    })
}

/// # Safety
/// The call has begun, and ends here.
#[inline(never)]
unsafe fn end<M>(
    name: &'static str,
    place: &mut Place<TryArc<Bound<M>>>,
    returned: i32,
    out: *mut phicache_value,
    code: *mut i32,
    maximum: impl FnOnce(&Bound<M>) -> f64,
) -> phicache_status {
    catch_panics(name, || {
        // SAFETY: the caller's promise.
        let value = unsafe { Call::end(place, returned, code, |bound| maximum(bound)) }?;
        Ok(self::out(out, "out")?.filled(value))
    })
}

/// The memo's own hits and misses, and its cache's size.
///
/// @param memo  The memo.
/// @param out   The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_info(memo: *mut phicache_memo, out: *mut phicache_info) -> phicache_status {
    catch_panics("phicache_memo_info", || {
        let out = self::out(out, "out")?;
        *out = bound_memo(memo)?.what.info()?.into();
        Ok(PHICACHE_OK)
    })
}

/// Clears the memo's cache, whoever else uses it, and sets the memo's counts to zero.
///
/// @param memo  The memo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_clear(memo: *mut phicache_memo) -> phicache_status {
    catch_panics("phicache_memo_clear", || bound_memo(memo)?.what.clear().map(|()| PHICACHE_OK))
}

/// The bare function and its user data, to call it without the cache.
///
/// @param memo           The memo.
/// @param out_compute    The function.
/// @param out_user_data  Its user data, which lives as long as the memo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_memo_wrapped(
    memo: *mut phicache_memo,
    out_compute: *mut phicache_compute,
    out_user_data: *mut *mut c_void,
) -> phicache_status {
    catch_panics("phicache_memo_wrapped", || {
        let outs = (out(out_compute, "out_compute"), out(out_user_data, "out_user_data"));
        let (out_compute, out_user_data) = (outs.0?, outs.1?);
        let function = &bound_memo(memo)?.function;
        (*out_compute, *out_user_data) = (function.compute, function.user_data);
        Ok(PHICACHE_OK)
    })
}

/// Binds a function to a prefix, under which objects' caches keep its values.
///
/// @param prefix     [nullable] Stands in front of the arguments in the key; NULL is "none".
/// @param flags      0, or `PHICACHE_METHOD_REPERTOIRE`.
/// @param compute    Computes a value of the function; its `call_data` is the object.
/// @param user_data  [nullable] Handed to `compute` at every call.
/// @param drop       [nullable] Frees `user_data`: called once, after the last call has ended, also when this call fails.
/// @param out        The method, to be freed by `phicache_method_free`.
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
    // Made first, so that `drop` is called whatever fails.
    let function = Function { compute, user_data, drop };
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

/// Frees a method; the caches keep its values.
///
/// @param method  [nullable] The method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_method_free(method: *mut phicache_method) -> phicache_status {
    catch_panics("phicache_method_free", || free::<MethodHandle, _>(method, "method").map(|_| PHICACHE_OK))
}

/// The method's value for an object and arguments, from the object's cache or computed.
///
/// The key is that of `phicache_cache_key` for the method's prefix and the arguments. Straight through, nothing is looked
/// up, stored or counted, and `out->origin` says NOT_STORED and REFUSED_DISABLED.
///
/// @param method         The method.
/// @param cache          The object's cache.
/// @param object         [nullable] The object: handed to the function as its `call_data`.
/// @param args           The arguments.
/// @param out            The value, pinned until `phicache_value_release`; `out->origin` tells where it came from.
/// @param callback_code  [nullable] What the function returned, whatever the status; 0 when it was not called.
/// @return OK; ERROR_CALLBACK when the function did not return 0; where its last reservation failed, the status of that. On
///         an error nothing was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_method_call(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    object: *mut c_void,
    args: *mut phicache_key,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::call(args, out, callback_code, |args| {
        live::<MethodHandle, _>(method)?.0.what.try_fast_hit(fast_path::as_any(cache)?, args)
    })
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
    let mut place = Place::uninit();
    let begun = begin_method(method, cache, args, out, callback_code, &mut place);
    if begun != BEGUN {
        return begun;
    }
    // SAFETY: it has begun.
    let returned = unsafe {
        let Function { compute, user_data, .. } = Call::keep(&place).function;
        Call::run(&mut place, METHOD, compute, user_data, object)
    };
    // SAFETY: as above.
    unsafe { end(METHOD, &mut place, returned, out, callback_code, |_| limit::UNLIMITED) }
}

const METHOD: &str = "phicache_method_call";

#[inline(never)]
fn begin_method(
    method: *mut phicache_method,
    cache: *mut phicache_cache,
    args: *mut phicache_key,
    out: *mut phicache_value,
    code: *mut i32,
    place: &mut Place<TryArc<Bound<Method>>>,
) -> phicache_status {
    catch_panics(METHOD, || {
        optional(code, "callback_code")?;
        let out = self::out(out, "out")?;
        // The callback may free the method: this share keeps it alive while it runs.
        let method = get::<MethodHandle, _>(method, "method")?.0.clone();
        match method.what.get_or_reserve(as_any(cache)?, builder(args, "args")?)? {
            MethodLookup::Cached(asked) => callback::begin(place, asked, method, |value| Ok(out.filled(value))),
            MethodLookup::Uncached(key) => Ok(Call::begin(place, Task::ForOne(key), method)),
        }
    })
}

fn bound_memo<'m>(memo: *mut phicache_memo) -> Result<&'m TryArc<Bound<Memo>>> {
    get::<MemoHandle, _>(memo, "memo").map(|handle| &handle.0)
}
