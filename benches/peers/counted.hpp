// counted.hpp: the value of the C++ peers: a reference count and bytes in one block, like `Arc<[u8]>` in Rust. Maps
// for one thread use a plain count, the others an atomic one.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace bench {

template <bool Atomic>
class Counted {
    struct Block {
        std::conditional_t<Atomic, std::atomic<std::size_t>, std::size_t> count;
        std::size_t len;
    };

public:
    Counted() = default;
    Counted(const std::uint8_t *data, std::size_t len) {
        void *const memory = std::malloc(sizeof(Block) + len);
        if (!memory) throw std::bad_alloc();
        block_ = new (memory) Block{1, len};
        std::memcpy(static_cast<void *>(block_ + 1), data, len);
    }
    Counted(const Counted &other) : block_(other.block_) {
        if (!block_) return;
        if constexpr (Atomic) block_->count.fetch_add(1, std::memory_order_relaxed);
        else block_->count++;
    }
    Counted(Counted &&other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Counted &operator=(Counted other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Counted() {
        if (block_ && last()) std::free(block_);
    }

    explicit operator bool() const { return block_ != nullptr; }
    const std::uint8_t *data() const { return reinterpret_cast<const std::uint8_t *>(block_ + 1); }
    std::size_t size() const { return block_->len; }

    // For containers of raw pointers: detach gives up the reference, attach takes it back.
    void *detach() { return std::exchange(block_, nullptr); }
    static Counted attach(void *block) {
        Counted counted;
        counted.block_ = static_cast<Block *>(block);
        return counted;
    }

private:
    bool last() {
        if constexpr (!Atomic) return --block_->count == 0;
        else {
            if (block_->count.fetch_sub(1, std::memory_order_release) != 1) return false;
            std::atomic_thread_fence(std::memory_order_acquire);
            return true;
        }
    }

    Block *block_ = nullptr;
};

}  // namespace bench
