//! Subsystems and cuts
//!
//! A cut is an array of one node set per node of the network: bit j of `severed[i]` says that the connection from node i to
//! node j is severed. NULL is no cut; a cut that severs nothing is still a cut. Networks have up to 64 nodes.
//!
//! A subsystem is the identity of an uncut system (network and context, state, nodes) and a cut, or none. It never changes
//! and may be used from any thread at once.
//!
//! ```c
//! const double tpm[] = { 0, 0,  0, 1,  1, 0,  1, 1 };  // each of two nodes takes the other's state
//! const uint64_t connections[] = { 0x2, 0x1 };
//! const int32_t state[] = { 1, 0 };
//! phicache_bytes context = { (const uint8_t *)"L1, payload 1", 13 };
//! phicache_fingerprint network;
//! phicache_subsystem *uncut, *cut;
//! uint64_t severed[2];
//! uint8_t key[PHICACHE_KEY_BUFFER];
//! size_t len;
//! if (phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, connections, context, &network) != PHICACHE_OK ||
//!     phicache_subsystem_new(&network, 2, state, 0x3, connections, NULL, &uncut) != PHICACHE_OK ||
//!     phicache_cut_bipartition(2, 0x1, 0x2, severed) != PHICACHE_OK ||  // from node 0 to node 1
//!     phicache_subsystem_cut(uncut, severed, &cut) != PHICACHE_OK) return 1;
//! if (phicache_subsystem_key(cut, "repertoire", PHICACHE_CAUSE, 0x2, 0x1, key, sizeof key, &len) == PHICACHE_OK)
//!     use(key, len);  // with the severed connection; the effect's key would be the uncut system's
//! phicache_subsystem_free(cut);
//! phicache_subsystem_free(uncut);
//! ```

use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::{SubsystemHandle, subsystem};
use crate::ffi::border::input::{fingerprint, layout, node_sets, optional_node_sets};
use crate::iit::{Cut, Direction, NODES_MAX, NodeSet, Subsystem};

/// Makes the cut that severs all connections from one part to another.
///
/// @param size         Nodes of the network, 1 to 64.
/// @param from         Where the connections start, as a node set.
/// @param to           Where they end, as a node set; it shares no node with `from`.
/// @param out_severed  `size` node sets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cut_bipartition(
    size: usize,
    from: u64,
    to: u64,
    out_severed: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cut_bipartition", || {
        severed(size, out_severed, |size| Cut::bipartition(size, NodeSet(from), NodeSet(to)))
    })
}

/// Makes the cut of a matrix whose entry at row i and column j is not 0 where the connection from i to j is severed.
///
/// @param size         Nodes of the network, 1 to 64.
/// @param matrix       `size` x `size` entries.
/// @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
/// @param out_severed  `size` node sets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cut_matrix(
    size: usize,
    matrix: *const u8,
    layout: i32,
    out_severed: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cut_matrix", || {
        severed(size, out_severed, |size| {
            Cut::from_matrix(size, array(matrix, size * size, "matrix")?, self::layout(layout)?)
        })
    })
}

/// Makes the cut of a K-partition (PyPhi's `KCut`): in each part, the nodes where connections start (the purview for a
/// cause, the mechanism for an effect) are severed from all nodes of the partition where the part's own do not end.
///
/// @param size         Nodes of the network, 1 to 64.
/// @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanisms   The mechanism of each part, as a node set.
/// @param purviews     The purview of each part, as a node set.
/// @param parts        How many parts, 1 or more.
/// @param out_severed  `size` node sets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cut_partition(
    size: usize,
    direction: i32,
    mechanisms: *const u64,
    purviews: *const u64,
    parts: usize,
    out_severed: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cut_partition", || {
        severed(size, out_severed, |size| {
            if parts == 0 {
                return Err(Error::invalid("a partition of 0 parts; expected 1 or more"));
            }
            let mechanisms = node_sets(mechanisms, parts, "mechanisms")?;
            let purviews = node_sets(purviews, parts, "purviews")?;
            let parts: Vec<_> = mechanisms.iter().copied().zip(purviews.iter().copied()).collect();
            Cut::partition(size, Direction::from_number(direction)?, &parts)
        })
    })
}

/// Tells whether a cut damages the MICE of a mechanism over a purview: whether it severs a connection within the
/// mechanism, or one from purview to mechanism (cause) or from mechanism to purview (effect).
///
/// @param size         Nodes of the network, 1 to 64.
/// @param severed      [nullable] The cut, `size` node sets; NULL is no cut, which damages nothing.
/// @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism    The mechanism, as a node set.
/// @param purview      The purview, as a node set.
/// @param out_damaged  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cut_damages(
    size: usize,
    severed: *const u64,
    direction: i32,
    mechanism: u64,
    purview: u64,
    out_damaged: *mut i32,
) -> phicache_status {
    catch_panics("phicache_cut_damages", || {
        let out = out(out_damaged, "out_damaged")?;
        let cut = cut(severed, check_size(size)?)?;
        let direction = Direction::from_number(direction)?;
        *out = cut.is_some_and(|cut| cut.damages(direction, NodeSet(mechanism), NodeSet(purview))).into();
        Ok(PHICACHE_OK)
    })
}

/// Makes a subsystem.
///
/// @param network      The network's fingerprint, in which the context is.
/// @param size         Nodes of the network, 1 to 64.
/// @param state        The state of each node of the network, not negative.
/// @param nodes        The nodes of the subsystem, as a node set; not empty.
/// @param connections  [nullable] For each node of the network the set of nodes it is connected to. With them,
///                     `phicache_subsystem_key` leaves out severed connections that never existed; damage by a cut does
///                     not look at them. NULL: all nodes are connected.
/// @param severed      [nullable] The cut, `size` node sets; NULL is no cut.
/// @param out          The subsystem, to be freed by `phicache_subsystem_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_subsystem_new(
    network: *const phicache_fingerprint,
    size: usize,
    state: *const i32,
    nodes: u64,
    connections: *const u64,
    severed: *const u64,
    out: *mut *mut phicache_subsystem,
) -> phicache_status {
    catch_panics("phicache_subsystem_new", || {
        let out = self::out(out, "out")?;
        let network = fingerprint(network, "network")?;
        let state = array(state, check_size(size)?, "state")?;
        let connections = optional_node_sets(connections, size, "connections")?;
        let cut = cut(severed, size)?;
        *out = create(SubsystemHandle(Subsystem::new(&network, state, NodeSet(nodes), connections, cut)?))?;
        Ok(PHICACHE_OK)
    })
}

/// Makes the same system under another cut, or uncut.
///
/// @param subsystem  The subsystem; its own cut does not matter.
/// @param severed    [nullable] The cut, one node set for each node of the network; NULL is no cut.
/// @param out        The new subsystem, to be freed by `phicache_subsystem_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_subsystem_cut(
    subsystem: *mut phicache_subsystem,
    severed: *const u64,
    out: *mut *mut phicache_subsystem,
) -> phicache_status {
    catch_panics("phicache_subsystem_cut", || {
        let out = self::out(out, "out")?;
        let subsystem = self::subsystem(subsystem)?;
        let cut = cut(severed, subsystem.size())?;
        *out = create(SubsystemHandle(subsystem.under(cut)?))?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a subsystem; caches made for it do not need it.
///
/// @param subsystem  [nullable] The subsystem.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_free(subsystem: *mut phicache_subsystem) -> phicache_status {
    catch_panics("phicache_subsystem_free", || free::<SubsystemHandle, _>(subsystem, "subsystem").map(|_| PHICACHE_OK))
}

/// The identity of the uncut system: network and context, state, nodes. All cuts of a system have the same.
///
/// @param subsystem  The subsystem.
/// @param out        The fingerprint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_fingerprint(
    subsystem: *mut phicache_subsystem,
    out: *mut phicache_fingerprint,
) -> phicache_status {
    catch_panics("phicache_subsystem_fingerprint", || {
        let out = self::out(out, "out")?;
        out.bytes = self::subsystem(subsystem)?.fingerprint().0;
        Ok(PHICACHE_OK)
    })
}

/// The number of nodes of a subsystem's network: how many node sets a cut of it has.
///
/// @param subsystem  The subsystem.
/// @param out_size   The number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_size(
    subsystem: *mut phicache_subsystem,
    out_size: *mut usize,
) -> phicache_status {
    catch_panics("phicache_subsystem_size", || {
        let out = out(out_size, "out_size")?;
        *out = self::subsystem(subsystem)?.size();
        Ok(PHICACHE_OK)
    })
}

/// The nodes of a subsystem.
///
/// @param subsystem  The subsystem.
/// @param out_nodes  The nodes, as a node set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_nodes(
    subsystem: *mut phicache_subsystem,
    out_nodes: *mut u64,
) -> phicache_status {
    catch_panics("phicache_subsystem_nodes", || {
        let out = out(out_nodes, "out_nodes")?;
        *out = self::subsystem(subsystem)?.nodes().0;
        Ok(PHICACHE_OK)
    })
}

/// Tells whether a subsystem is cut.
///
/// @param subsystem  The subsystem.
/// @param out_cut    1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_is_cut(
    subsystem: *mut phicache_subsystem,
    out_cut: *mut i32,
) -> phicache_status {
    catch_panics("phicache_subsystem_is_cut", || {
        let out = out(out_cut, "out_cut")?;
        *out = self::subsystem(subsystem)?.cut().is_some().into();
        Ok(PHICACHE_OK)
    })
}

/// Tells whether a subsystem's cut damages the MICE of a mechanism over a purview; see `phicache_cut_damages`.
///
/// @param subsystem    The subsystem.
/// @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism    The mechanism, as a node set.
/// @param purview      The purview, as a node set.
/// @param out_damaged  1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_damages(
    subsystem: *mut phicache_subsystem,
    direction: i32,
    mechanism: u64,
    purview: u64,
    out_damaged: *mut i32,
) -> phicache_status {
    catch_panics("phicache_subsystem_damages", || {
        let out = out(out_damaged, "out_damaged")?;
        let subsystem = self::subsystem(subsystem)?;
        let direction = Direction::from_number(direction)?;
        *out = subsystem.damages(direction, NodeSet(mechanism), NodeSet(purview)).into();
        Ok(PHICACHE_OK)
    })
}

/// Writes the cut-scoped key of what is computed from a mechanism and a purview (a repertoire, a small φ).
///
/// It is (prefix, direction, mechanism, purview), that of `phicache_key_repertoire`, and behind it the severed connections
/// from purview to mechanism (cause) or from mechanism to purview (effect), if there are any. Nothing else about a cut
/// matters to such a result; so all cuts of a system may share one cache under these keys, exactly but for the rounding of
/// the last bit where the order of a sum depends on the cut.
///
/// @param subsystem  The subsystem.
/// @param prefix     [nullable] What is computed; NULL is "none".
/// @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism  The mechanism, as a node set.
/// @param purview    The purview, as a node set.
/// @param buffer     [nullable] Where the key is written; may be NULL if `capacity` is 0.
/// @param capacity   Bytes of the buffer; `PHICACHE_KEY_BUFFER` will do.
/// @param out_len    The key's length, also when it does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_key(
    subsystem: *mut phicache_subsystem,
    prefix: *const c_char,
    direction: i32,
    mechanism: u64,
    purview: u64,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_subsystem_key", || {
        let out_len = out(out_len, "out_len")?;
        let subsystem = self::subsystem(subsystem)?;
        let buffer = array_mut(buffer, capacity, "buffer")?;
        let prefix = optional_text(prefix, "prefix")?;
        let direction = Direction::from_number(direction)?;
        length(subsystem.key(buffer, prefix, direction, NodeSet(mechanism), NodeSet(purview)), out_len)
    })
}

fn check_size(size: usize) -> Result<usize> {
    match size {
        1..=NODES_MAX => Ok(size),
        _ => Err(Error::invalid(format!("a network of {size} nodes; expected 1 to {NODES_MAX}"))),
    }
}

/// Hands a cut to C: the masks are zero until it is made.
fn severed(size: usize, out: *mut u64, make: impl FnOnce(usize) -> Result<Cut>) -> Result<phicache_status> {
    let size = check_size(size)?;
    let out = array_mut(out, size, "out_severed")?;
    out.fill(0);
    let cut = make(size)?;
    out.iter_mut().zip(cut.severed()).for_each(|(mask, targets)| *mask = targets.0);
    Ok(PHICACHE_OK)
}

fn cut(severed: *const u64, size: usize) -> Result<Option<Cut>> {
    optional_node_sets(severed, size, "severed")?.map(Cut::from_masks).transpose()
}
