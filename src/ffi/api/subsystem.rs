//! Subsystems and cuts
//!
//! A cut is an array of node sets, one for each node of the network. Bit j of `severed[i]` says that the connection
//! from node i to node j is severed. NULL is no cut; a cut that severs nothing is still a cut. A network has up to 64
//! nodes.
//!
//! A subsystem consists of the identity of an uncut system (network and context, state, nodes), and a cut or none. It
//! never changes. All threads may use it at once.
//!
//! ```c
//! const double tpm[] = { 0, 0,  0, 1,  1, 0,  1, 1 };  // each of two nodes copies the other
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
//!     use(key, len);  // contains the severed connection; the key of the effect would be that of the uncut system
//! phicache_subsystem_free(cut);
//! phicache_subsystem_free(uncut);
//! ```

use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::{SubsystemHandle, subsystem};
use crate::ffi::border::input::{fingerprint, layout, node_sets, optional_node_sets, text_beside};
use crate::iit::{Cut, Direction, NODES_MAX, NodeSet, Subsystem};

/// Makes the cut that severs all connections from one part to another.
///
/// @param size         Nodes of the network, 1 to 64.
/// @param from         The part where the connections begin, as a node set.
/// @param to           The part where they end, as a node set. It shares no node with `from`.
/// @param out_severed  `size` node sets.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_cut_bipartition(
    size: usize,
    from: u64,
    to: u64,
    out_severed: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cut_bipartition", || {
        severed(size, out_severed, |size, _| Cut::bipartition(size, NodeSet(from), NodeSet(to)))
    })
}

/// Makes the cut of a matrix: it severs the connection from i to j if the entry at row i and column j is not 0.
///
/// @param size         Nodes of the network, 1 to 64.
/// @param matrix       `size` x `size` entries.
/// @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
/// @param out_severed  `size` node sets.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_cut_matrix(
    size: usize,
    matrix: *const u8,
    layout: i32,
    out_severed: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cut_matrix", || {
        severed(size, out_severed, |size, out| {
            apart((matrix, size * size), out, ["matrix", "out_severed"])?;
            Cut::from_matrix(size, array(matrix, size * size, "matrix")?, self::layout(layout)?)
        })
    })
}

/// Makes the cut of a K-partition (PyPhi's `KCut`). For each part, it severs the connections from its sources (the
/// purview for a cause, the mechanism for an effect) to all nodes of the partition but its targets (the mechanism for a
/// cause, the purview for an effect).
///
/// @param size         Nodes of the network, 1 to 64.
/// @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanisms   The mechanism of each part, as a node set. Those of two parts share no node.
/// @param purviews     The purview of each part, as a node set. Those of two parts share no node.
/// @param parts        The number of parts, 1 or more.
/// @param out_severed  `size` node sets.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_cut_partition(
    size: usize,
    direction: i32,
    mechanisms: *const u64,
    purviews: *const u64,
    parts: usize,
    out_severed: *mut u64,
) -> phicache_status {
    catch_panics("phicache_cut_partition", || {
        severed(size, out_severed, |size, out| {
            if parts == 0 {
                return Err(Error::invalid("a partition of 0 parts; expected 1 or more"));
            }
            let mechanisms = node_sets(mechanisms, parts, "mechanisms")?;
            let purviews = node_sets(purviews, parts, "purviews")?;
            apart((mechanisms.as_ptr(), parts), out, ["mechanisms", "out_severed"])?;
            apart((purviews.as_ptr(), parts), out, ["purviews", "out_severed"])?;
            let parts = mechanisms.iter().copied().zip(purviews.iter().copied());
            Cut::partition(size, Direction::from_number(direction)?, parts)
        })
    })
}

/// Tells whether a cut damages the MICE of a mechanism over a purview. It does if it severs a connection within the
/// mechanism, or one from purview to mechanism (cause) or from mechanism to purview (effect).
///
/// @param size         Nodes of the network, 1 to 64.
/// @param severed      [nullable] The cut: `size` node sets. NULL is no cut, which damages nothing.
/// @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism    The mechanism, as a node set: nodes of the network.
/// @param purview      The purview, as a node set: nodes of the network.
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
        let (mechanism, purview) = (NodeSet(mechanism), NodeSet(purview));
        mechanism.check_within(NodeSet::first(size), "the mechanism", "network")?;
        purview.check_within(NodeSet::first(size), "the purview", "network")?;
        *out = cut.is_some_and(|cut| cut.damages(direction, mechanism, purview)).into();
        Ok(PHICACHE_OK)
    })
}

/// Makes a subsystem.
///
/// @param network      The fingerprint of network and context.
/// @param size         Nodes of the network, 1 to 64: those of the TPM. Checked if this process made the fingerprint.
/// @param state        The state of each node of the network, 0 (OFF) or 1 (ON).
/// @param nodes        The nodes of the subsystem, as a node set. It may be empty: PyPhi has such subsystems
///                     too, and their φ is 0.
/// @param connections  [nullable] For each node of the network, the set of nodes that it acts on. If given,
///                     `phicache_subsystem_key` omits severed connections that do not exist in the network, so give
///                     those of the fingerprint: with fewer, different cuts have equal keys. The wrong way round (the
///                     nodes that act on each node) they are an error, if this process made the fingerprint. They do
///                     not affect whether a cut damages a MICE. NULL: all nodes are connected.
/// @param severed      [nullable] The cut: `size` node sets. NULL is no cut. Keys and damage depend only on severed
///                     connections within the subsystem: a result may not depend on others.
/// @param out          The subsystem. Free it with `phicache_subsystem_free`.
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

/// Makes the same system with another cut, or uncut.
///
/// @param subsystem  The subsystem. Its own cut is ignored.
/// @param severed    [nullable] The cut: one node set for each node of the network. NULL is no cut.
/// @param out        The new subsystem. Free it with `phicache_subsystem_free`.
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

/// Frees a subsystem. Caches that were made for it do not need it.
///
/// @param subsystem  [nullable] The subsystem.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_subsystem_free(subsystem: *mut phicache_subsystem) -> phicache_status {
    catch_panics("phicache_subsystem_free", || free::<SubsystemHandle, _>(subsystem, "subsystem").map(|_| PHICACHE_OK))
}

/// Gets the identity of the uncut system: network and context, state, nodes. All cuts of a system have the same
/// identity.
///
/// @param subsystem  The subsystem.
/// @param out        The fingerprint.
#[unsafe(no_mangle)]
#[must_use]
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

/// Gets the number of nodes of the network, which is the number of node sets in a cut.
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

/// Gets the nodes of a subsystem.
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

/// Tells whether the cut of a subsystem damages the MICE of a mechanism over a purview, as `phicache_cut_damages` does.
///
/// @param subsystem    The subsystem.
/// @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism    The mechanism, as a node set: nodes of the subsystem.
/// @param purview      The purview, as a node set: nodes of the subsystem.
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
        let (mechanism, purview) = (NodeSet(mechanism), NodeSet(purview));
        subsystem.check(mechanism, purview)?;
        *out = subsystem.damages(direction, mechanism, purview).into();
        Ok(PHICACHE_OK)
    })
}

/// Writes a cut-scoped key, for a result that is computed from a mechanism and a purview (a repertoire, a small φ).
///
/// It is the key of `phicache_key_repertoire`, (prefix, direction, mechanism, purview), followed by the severed
/// connections from purview to mechanism (cause) or from mechanism to purview (effect), if there are any. Nothing else
/// about a cut affects such a result, so all cuts of a system may share one cache under these keys. Only if the order
/// of a sum depends on the cut may a result differ, by rounding.
///
/// The key does not contain the network, its state, or the nodes of the system: other systems need other caches, such
/// as that of `phicache_dict_cache_shared`, `phicache_disk_cache_shared` or `phicache_redis_cache_shared` for the
/// fingerprint of the subsystem.
///
/// @param subsystem  The subsystem.
/// @param prefix     [nullable] The name of the result; NULL is "none".
/// @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism  The mechanism, as a node set: nodes of the subsystem.
/// @param purview    The purview, as a node set: nodes of the subsystem.
/// @param buffer     [nullable] Receives the key; may be NULL if `capacity` is 0.
/// @param capacity   The size of the buffer in bytes; `PHICACHE_KEY_BUFFER` is enough.
/// @param out_len    The length of the key, also if it does not fit.
#[unsafe(no_mangle)]
#[must_use]
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
        let prefix = text_beside(prefix, buffer, "prefix")?;
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

/// Writes the cut that `make` makes; it gets the masks, too, which are zero on an error.
fn severed(size: usize, out: *mut u64, make: impl FnOnce(usize, &[u64]) -> Result<Cut>) -> Result<phicache_status> {
    let size = check_size(size)?;
    let out = array_mut(out, size, "out_severed")?;
    out.fill(0);
    let cut = make(size, out)?;
    out.iter_mut().zip(cut.severed()).for_each(|(mask, targets)| *mask = targets.0);
    Ok(PHICACHE_OK)
}

fn cut(severed: *const u64, size: usize) -> Result<Option<Cut>> {
    optional_node_sets(severed, size, "severed")?.map(Cut::from_masks).transpose()
}
