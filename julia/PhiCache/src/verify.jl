# Verified mode: every n-th hit is computed again and compared with the value that the cache has.
#
# The library decides which hits are verified: `phicache_cache_begin` then returns a lease and lends the value that the
# cache has. The comparison is Julia's, because only Julia knows the type of the value. The library compares bytes, so
# it gets the kept bytes again if the values are equal.

# How the hits of a cache are verified.
struct Verification
    every::UInt64
    same::Any
    ondifference::Any
end

function Verification(every::Integer, same, ondifference)
    every >= 0 || throw(ArgumentError("verify_every is $every; expected 0 (no hit is verified) or more"))
    for (option, f) in ((:same, same), (:ondifference, ondifference))
        is_callable(f) || (option === :ondifference && f === nothing) || throw(ArgumentError(
            "the option $option is $(described(f)), which cannot be called; expected $(last(OPTIONS[option]))"))
    end
    return Verification(UInt64(every), same, ondifference)
end

# Ends the computation of a value that the cache has. Returns the kept value if the two are equal, or else the new one,
# which then replaces it.
@noinline function verify(::Type{V}, cache, reservation, value) where {V}
    lease, kept_bytes = reservation.lease, reservation.kept
    try
        allow_interrupts()
        kept = GC.@preserve kept_bytes value_of(V, cache, Base.unsafe_convert(CBytes, kept_bytes))
        bytes = bytes_of(V, cache, value)
        equal = has_bytes(bytes, kept_bytes) || cache.verification.same(kept, value)
        write_value(lease, equal ? kept_bytes : bytes)
        complete(lease)
        equal && return kept
        hear = cache.verification.ondifference
        hear === nothing || hear(without_type(cache, reservation.flight_key[2]), kept, value)
        return value
    finally
        close(lease)
    end
end

# Whether an encoded value has these bytes.
function has_bytes(encoded, bytes)
    encoded = Base.cconvert(CBytes, encoded)
    GC.@preserve encoded begin
        these = Base.unsafe_convert(CBytes, encoded)
        return these.len == length(bytes) && unsafe_wrap(Array, these.data, these.len) == bytes
    end
end
