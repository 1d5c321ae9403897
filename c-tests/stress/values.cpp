#include "values.hpp"

#include <array>
#include <cstring>
#include <vector>

#include "random.hpp"
#include "report.hpp"

namespace stress {

namespace {

// The key's number and the stamp.
using Head = std::array<std::uint64_t, 3>;

constexpr std::size_t longest_body = longest_value - sizeof(Head);

// The bytes that follow the header, of all keys one after the other.
const std::uint8_t *body(unsigned key) {
    static const std::vector<std::uint8_t> all = [] {
        std::vector<std::uint8_t> bytes;
        for (unsigned each = 0; each < all_keys; each++) {
            Random random(each);
            for (std::size_t at = 0; at < longest_body; at++) bytes.push_back(static_cast<std::uint8_t>(random.next()));
        }
        return bytes;
    }();
    return &all[key * longest_body];
}

}  // namespace

std::size_t Values::length(unsigned key) const {
    if (key % 50 == 7) return 0;
    const std::size_t body_length = key % 10 == 3 ? 800 + key % 501 : key * 7 % 200;
    return (sizeof(Head) + body_length) / unit_ * unit_;
}

void Values::write(std::uint8_t *room, unsigned key, Stamp stamp) const {
    const std::size_t len = length(key);
    if (len == 0) return;
    const Head head{key, stamp.clears, stamp.removals};
    std::memcpy(room, &head, sizeof head);
    std::memcpy(room + sizeof head, body(key), len - sizeof head);
}

bool Values::check(const char *cache, const std::uint8_t *data, std::size_t len, unsigned key, Stamp oldest) const {
    const std::size_t expected = length(key);
    if (!expect(len == expected, "%s, key %u: a value of %zu bytes, expected %zu", cache, key, len, expected))
        return false;
    if (len == 0) return true;
    Head head;
    std::memcpy(&head, data, sizeof head);
    if (!expect(head[0] == key, "%s, key %u: the value of key %llu", cache, key,
                static_cast<unsigned long long>(head[0])))
        return false;
    return expect(std::memcmp(data + sizeof head, body(key), len - sizeof head) == 0, "%s, key %u: wrong bytes", cache,
                  key) &
           expect(head[1] >= oldest.clears,
                  "%s, key %u: a value begun before clear %llu, in a cache cleared since %llu",
                  cache, key, static_cast<unsigned long long>(head[1]),
                  static_cast<unsigned long long>(oldest.clears)) &
           expect(head[2] >= oldest.removals, "%s, key %u: a value begun before its key was removed is back", cache,
                  key);
}

}  // namespace stress
