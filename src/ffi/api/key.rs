//! Keys and fingerprints
//!
//! A key is any sequence of up to 2^31 - 1 bytes. The functions here make keys from arguments, in a canonical encoding,
//! version 2 (`docs/keys.md`): C, C++ and Julia make the same bytes from the same arguments. Equal argument lists have
//! equal keys, different ones have different keys. In untyped keys, numbers of equal value are equal, as in Python (`3`
//! and `3.0`, `1` and `true`); in typed keys they differ. One thread at a time may use a key builder.
//!
//! An argument that cannot be added is an error, and so is every key that the builder makes from then on, until it is
//! reset: without the argument it would be the key of another call. So it is enough to check the status of
//! `phicache_key_bytes`, or of the call that takes the builder.
//!
//! ```c
//! phicache_key *key;
//! phicache_bytes bytes;
//! if (phicache_key_new(&key) != PHICACHE_OK) return 1;
//! phicache_key_add_int(key, 3);
//! phicache_key_add_keyword(key, "scale");
//! phicache_key_add_double(key, 0.5);
//! if (phicache_key_bytes(key, 0, &bytes) == PHICACHE_OK) use(bytes);  // of f(3, scale=0.5)
//! phicache_key_free(key);
//! ```

use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::KeyHandle;
use crate::ffi::border::input::{layout, optional_array, text_beside};
use crate::iit::Direction;
use crate::key::{self, Element, KeyBuilder};

/// Makes an empty list of arguments: a key builder.
///
/// @param out  The builder. Free it with `phicache_key_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_key_new(out: *mut *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_new", || {
        let out = self::out(out, "out")?;
        *out = create(KeyHandle(KeyBuilder::new()))?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a builder. The keys that it returned are not valid any more.
///
/// @param key  [nullable] The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_free(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_free", || free::<KeyHandle, _>(key, "key").map(|_| PHICACHE_OK))
}

/// Removes all arguments, but keeps the memory: a builder that is used again allocates nothing.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_reset(key: *mut phicache_key) -> phicache_status {
    fast_path::reset(key).unwrap_or_else(|| reset(key))
}

#[inline(never)]
extern "C" fn reset(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_reset", || key_builder(key, "key").map(KeyBuilder::reset).map(|()| PHICACHE_OK))
}

/// Adds "none", the absent value.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_none(key: *mut phicache_key) -> phicache_status {
    add("phicache_key_add_none", key, Element::None)
}

/// Adds a truth value. In an untyped key it equals 0 or 1.
///
/// @param key    The builder.
/// @param value  0 is false, any other number is true.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_bool(key: *mut phicache_key, value: i32) -> phicache_status {
    add("phicache_key_add_bool", key, Element::Bool(value != 0))
}

/// Adds a signed integer.
///
/// @param key    The builder.
/// @param value  The integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_int(key: *mut phicache_key, value: i64) -> phicache_status {
    add("phicache_key_add_int", key, Element::Int(value))
}

/// Adds an unsigned integer. It equals the signed integer of the same value.
///
/// @param key    The builder.
/// @param value  The integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_uint(key: *mut phicache_key, value: u64) -> phicache_status {
    add("phicache_key_add_uint", key, Element::Uint(value))
}

/// Adds a double. -0.0 equals 0.0, and all NaNs are equal. In an untyped key it equals the integer of exactly the same
/// value.
///
/// @param key    The builder.
/// @param value  The double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_double(key: *mut phicache_key, value: f64) -> phicache_status {
    add("phicache_key_add_double", key, Element::Double(value))
}

/// Adds bytes.
///
/// @param key    The builder.
/// @param value  The bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_bytes(key: *mut phicache_key, value: phicache_bytes) -> phicache_status {
    catch_panics("phicache_key_add_bytes", || change(key, |key| key.add(Element::Bytes(to_add(key, value, "value")?))))
}

/// Adds text. It never equals bytes.
///
/// @param key   The builder.
/// @param utf8  The text in UTF-8; it may contain NULs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_string(key: *mut phicache_key, utf8: phicache_bytes) -> phicache_status {
    catch_panics("phicache_key_add_string", || {
        change(key, |key| {
            let text = std::str::from_utf8(to_add(key, utf8, "utf8")?);
            key.add(Element::String(text.map_err(|_| {
                Error::invalid(
                    "utf8 is not valid UTF-8; add other bytes with phicache_key_add_bytes (in C++ as a \
                     phicache::bytes, also as the parameter of a memo or method)",
                )
            })?))
        })
    })
}

/// Adds a direction.
///
/// @param key        The builder.
/// @param direction  `PHICACHE_CAUSE`, `PHICACHE_EFFECT` or `PHICACHE_BIDIRECTIONAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_direction(key: *mut phicache_key, direction: i32) -> phicache_status {
    catch_panics("phicache_key_add_direction", || {
        change(key, |key| {
            let number = u8::try_from(direction).ok().filter(|number| *number <= PHICACHE_BIDIRECTIONAL as u8);
            let number = number.ok_or_else(|| {
                Error::invalid(format!("direction {direction}; expected 0 (cause), 1 (effect) or 2 (bidirectional)"))
            });
            key.add(Element::Direction(number?))
        })
    })
}

/// Adds a node set.
///
/// @param key    The builder.
/// @param nodes  The set: bit k is node k.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_nodes(key: *mut phicache_key, nodes: u64) -> phicache_status {
    add("phicache_key_add_nodes", key, Element::Nodes(nodes))
}

/// Begins a tuple. Everything added until `phicache_key_end_tuple` is an item of it, in order. Nesting is limited to 64
/// levels.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_begin_tuple(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_begin_tuple", || change(key, KeyBuilder::begin_tuple))
}

/// Ends the tuple.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_end_tuple(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_end_tuple", || change(key, KeyBuilder::end_tuple))
}

/// Adds an array of doubles, such as a repertoire, as one element. It never equals a tuple of the same doubles. -0.0
/// equals 0.0, and all NaNs are equal. C++ and Julia make the same element from a vector of doubles.
///
/// @param key     The builder.
/// @param values  [nullable] The doubles; may be NULL if `count` is 0.
/// @param count   The number of doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_doubles(
    key: *mut phicache_key,
    values: *const f64,
    count: usize,
) -> phicache_status {
    fast_path::add_doubles(key, values, count).unwrap_or_else(|| add_doubles(key, values, count))
}

#[inline(never)]
extern "C" fn add_doubles(key: *mut phicache_key, values: *const f64, count: usize) -> phicache_status {
    catch_panics("phicache_key_add_doubles", || change(key, |key| key.add_doubles(array(values, count, "values")?)))
}

/// Adds a tuple of integers: what `phicache_key_begin_tuple`, `phicache_key_add_int` for each and
/// `phicache_key_end_tuple` add, in one call. C++ and Julia make the same element from a vector of integers.
///
/// @param key     The builder.
/// @param values  [nullable] The integers; may be NULL if `count` is 0.
/// @param count   The number of integers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_ints(
    key: *mut phicache_key,
    values: *const i64,
    count: usize,
) -> phicache_status {
    catch_panics("phicache_key_add_ints", || change(key, |key| key.add_ints(array(values, count, "values")?)))
}

/// Begins a set. Everything added until `phicache_key_end_set` is an item of it, in any order; equal items count once.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_begin_set(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_begin_set", || change(key, KeyBuilder::begin_set))
}

/// Ends the set.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_end_set(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_end_set", || change(key, KeyBuilder::end_set))
}

/// Begins a value of a named type, such as an enum or a struct. Exactly one element is added until
/// `phicache_key_end_named`; use a tuple for several. The value equals neither that element alone nor the same element
/// under another name. Nesting is limited to 64 levels.
///
/// @param key   The builder.
/// @param name  The name of the type; the same in all programs that share keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_begin_named(key: *mut phicache_key, name: *const c_char) -> phicache_status {
    catch_panics("phicache_key_begin_named", || change(key, |key| key.begin_named(text(name, "name")?)))
}

/// Ends the named type.
///
/// @param key  The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_end_named(key: *mut phicache_key) -> phicache_status {
    catch_panics("phicache_key_end_named", || change(key, KeyBuilder::end_named))
}

/// Names the argument that is added next. Named arguments come after all others, in any order, each name once.
///
/// @param key   The builder.
/// @param name  The name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_key_add_keyword(key: *mut phicache_key, name: *const c_char) -> phicache_status {
    catch_panics("phicache_key_add_keyword", || change(key, |key| key.add_keyword(text(name, "name")?)))
}

/// Makes the key of the arguments that were added so far.
///
/// @param key    The builder.
/// @param typed  0: numbers of equal value are equal. Any other number: numbers of different types differ.
/// @param out    The key, valid until the builder is used again or freed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_key_bytes(
    key: *mut phicache_key,
    typed: i32,
    out: *mut phicache_bytes,
) -> phicache_status {
    fast_path::key(key, typed, out).unwrap_or_else(|| finish(key, typed, out))
}

#[inline(never)]
extern "C" fn finish(key: *mut phicache_key, typed: i32, out: *mut phicache_bytes) -> phicache_status {
    catch_panics("phicache_key_bytes", || {
        let out = self::out(out, "out")?;
        *out = lent(key_builder(key, "key")?.key(typed != 0)?);
        Ok(PHICACHE_OK)
    })
}

/// Writes the key (prefix, direction, mechanism, purview), as a builder makes it, untyped. Takes a few nanoseconds.
///
/// For a system without a cut. Results of a cut system differ under the same key: use `phicache_subsystem_key`, or a
/// cache for each cut.
///
/// @param prefix     [nullable] The prefix; NULL is "none".
/// @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism  The mechanism, as a node set.
/// @param purview    The purview, as a node set.
/// @param buffer     [nullable] Receives the key; may be NULL if `capacity` is 0.
/// @param capacity   The size of the buffer in bytes; `PHICACHE_KEY_BUFFER` is enough.
/// @param out_len    The length of the key, also if it does not fit.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_key_repertoire(
    prefix: *const c_char,
    direction: i32,
    mechanism: u64,
    purview: u64,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_key_repertoire", || {
        let out_len = out(out_len, "out_len")?;
        let buffer = array_mut(buffer, capacity, "buffer")?;
        let prefix = text_beside(prefix, buffer, "prefix")?;
        let direction = Direction::from_number(direction)?;
        length(key::repertoire(buffer, prefix, direction as u8, mechanism, purview), out_len)
    })
}

/// Writes the key (prefix, direction, mechanism, candidate purviews), which PyPhi's `find_mice` uses.
///
/// @param prefix     [nullable] The prefix; NULL is "none".
/// @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism  The mechanism, as a node set.
/// @param purviews   [nullable] The candidates; their order matters. NULL with a count of 0 is no list, which differs
///                   from an empty list.
/// @param count      The number of candidates.
/// @param buffer     [nullable] Receives the key; may be NULL if `capacity` is 0.
/// @param capacity   The size of the buffer in bytes; `PHICACHE_KEY_BUFFER` plus 9 for each candidate is enough.
/// @param out_len    The length of the key, also if it does not fit.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_key_mice(
    prefix: *const c_char,
    direction: i32,
    mechanism: u64,
    purviews: *const u64,
    count: usize,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_key_mice", || {
        let out_len = out(out_len, "out_len")?;
        let buffer = array_mut(buffer, capacity, "buffer")?;
        let prefix = text_beside(prefix, buffer, "prefix")?;
        let direction = Direction::from_number(direction)?;
        let purviews = optional_array(purviews, count, "purviews")?;
        apart((purviews.unwrap_or_default().as_ptr(), count), buffer, ["purviews", "buffer"])?;
        length(key::mice(buffer, prefix, direction as u8, mechanism, purviews), out_len)
    })
}

/// Identifies a network, and the way its results are computed.
///
/// @param tpm          The transition probability matrix, state by node. It has 2^nodes rows: bit k of a row's number
///                     is the state of node k. It has one column for each node: the probability, 0 to 1, that the
///                     node is ON next. Any other number is an error.
/// @param nodes        The number of nodes, 1 to 64. The matrix must fit into memory.
/// @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
/// @param connections  For each node, the set of nodes that it acts on. They are not compared with the TPM.
/// @param context      How results are computed: algorithm, measure, settings, version of the payloads. Not empty.
///                     Programs that compute differently need different contexts, so that they do not read each other's
///                     values.
/// @param out          The fingerprint.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_network_fingerprint(
    tpm: *const f64,
    nodes: usize,
    layout: i32,
    connections: *const u64,
    context: phicache_bytes,
    out: *mut phicache_fingerprint,
) -> phicache_status {
    catch_panics("phicache_network_fingerprint", || {
        let out = self::out(out, "out")?;
        let tpm = array(tpm, key::states(nodes)? * nodes, "tpm")?;
        let connections = array(connections, nodes, "connections")?;
        out.bytes = key::network(tpm, self::layout(layout)?, connections, bytes(context, "context")?)?.0;
        Ok(PHICACHE_OK)
    })
}

/// Adds an element that takes no text and no bytes, which `function` was called for.
#[inline(always)]
fn add(function: &'static str, key: *mut phicache_key, element: Element<'_>) -> phicache_status {
    fast_path::add(key, element).unwrap_or_else(|| add_with_care(function, key, element))
}

#[inline(never)]
fn add_with_care(function: &'static str, key: *mut phicache_key, element: Element<'_>) -> phicache_status {
    catch_panics(function, || change(key, |key| key.add(element)))
}

/// Bytes that are added to a builder, and not a key that it has made itself, which it would overwrite.
fn to_add<'a>(key: &KeyBuilder, given: phicache_bytes, name: &'static str) -> Result<&'a [u8]> {
    let given = bytes(given, name)?;
    match key.holds(given) {
        true => Err(Error::invalid(format!("{name} is a key of this builder, which overwrites it; add a copy"))),
        false => Ok(given),
    }
}

/// Changes a builder. A failure stays in it: without the argument, the key would be that of another call.
fn change(key: *mut phicache_key, apply: impl FnOnce(&mut KeyBuilder) -> Result<()>) -> Result<phicache_status> {
    let key = key_builder(key, "key")?;
    apply(key).inspect_err(|error| key.fail(error))?;
    Ok(PHICACHE_OK)
}
