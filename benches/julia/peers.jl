# What phicache is compared with: Dict, and the packages LRUCache and Memoize or, if they are not installed, the same
# steps in a few lines.

const PACKAGES = filter(name -> Base.find_package(name) !== nothing, ["LRUCache", "Memoize"])
foreach(name -> @eval(import $(Symbol(name))), PACKAGES)

# A Dict that threads share: under a lock.
struct LockedDict{K,V}
    entries::Dict{K,V}
    lock::ReentrantLock
end
LockedDict{K,V}() where {K,V} = LockedDict{K,V}(Dict{K,V}(), ReentrantLock())

function Base.get!(compute, cache::LockedDict, key)
    lock(cache.lock)
    value = try
        get!(compute, cache.entries, key)
    finally
        unlock(cache.lock)
    end
    return value
end

# A simple LRU map. A hit takes a lock, looks the key up twice, and moves its node to the front of a list.
mutable struct Node{K}
    key::K
    next::Node{K}
    previous::Node{K}
    Node{K}(key) where {K} = (node = new{K}(key); node.next = node.previous = node)
end

mutable struct PlainLRU{K,V}
    entries::Dict{K,Tuple{V,Node{K}}}
    front::Union{Nothing,Node{K}}
    lock::Threads.SpinLock
    PlainLRU{K,V}() where {K,V} = new{K,V}(Dict{K,Tuple{V,Node{K}}}(), nothing, Threads.SpinLock())
end

function Base.get!(compute, cache::PlainLRU{K,V}, key) where {K,V}
    lock(cache.lock)
    if haskey(cache.entries, key)
        value, node = cache.entries[key]
        move_to_front(cache, node)
        unlock(cache.lock)
        return value
    end
    unlock(cache.lock)
    value = compute()
    lock(cache.lock)
    node = Node{K}(key)
    cache.entries[key] = (value, node)
    move_to_front(cache, node)
    unlock(cache.lock)
    return value
end

function move_to_front(cache, node)
    front = cache.front
    cache.front = node
    (front === nothing || front === node) && return
    node.previous.next, node.next.previous = node.next, node.previous
    node.next, node.previous = front, front.previous
    front.previous.next = node
    front.previous = node
    return
end

const HAS_LRU = "LRUCache" in PACKAGES
new_lru(::Type{K}, ::Type{V}, count) where {K,V} =
    HAS_LRU ? LRUCache.LRU{K,V}(maxsize=2count) : PlainLRU{K,V}()
const LRU_NAME = HAS_LRU ? "LRUCache.jl" : "LRU, written plainly"

# Memoize.jl's `@memoize f(x, y)`: a dictionary by identity, with the tuple of the arguments as key, and the inferred
# type of the result; without a lock.
const HAS_MEMOIZE = "Memoize" in PACKAGES
const MEMOIZE_NAME = HAS_MEMOIZE ? "Memoize.jl" : "IdDict, as Memoize.jl has it"
