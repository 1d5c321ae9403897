// GLib's GHashTable, for one thread.
#include <glib.h>

#include <cstdlib>
#include <cstring>

#include "../hash.hpp"
#include "../loops.hpp"

namespace {

using namespace bench;

// A key in the table owns the bytes behind it; a key that is looked up is on the stack and points elsewhere.
struct Key {
    std::size_t len;
    const char *data;
    std::string_view view() const { return {data, len}; }
};

Key *new_key(std::string_view bytes) {
    auto *const key = static_cast<Key *>(g_malloc(sizeof(Key) + bytes.size()));
    auto *const data = reinterpret_cast<char *>(key + 1);
    std::memcpy(data, bytes.data(), bytes.size());
    *key = {bytes.size(), data};
    return key;
}

guint hash(gconstpointer key) { return static_cast<guint>(Hash()(static_cast<const Key *>(key)->view())); }

gboolean equal(gconstpointer a, gconstpointer b) {
    return static_cast<const Key *>(a)->view() == static_cast<const Key *>(b)->view();
}

class Table {
public:
    using Value = Counted<false>;
    static constexpr bool thread_safe = false;

    void set(std::string_view key, Value value) { g_hash_table_insert(table_, new_key(key), value.detach()); }
    template <class Look>
    bool look(std::string_view key, Look &&look) {
        const Key asked{key.size(), key.data()};
        void *const found = g_hash_table_lookup(table_, &asked);
        if (!found) return false;
        Value value = Value::attach(found);
        look(value);
        value.detach();
        return true;
    }
    ~Table() { g_hash_table_destroy(table_); }

private:
    static void free_value(gpointer value) { Value::attach(value); }

    GHashTable *table_ = g_hash_table_new_full(hash, equal, g_free, free_value);
};

const bench_peer peers[] = {Loops<Table>::peer("GHashTable"), {}};

}  // namespace

const bench_peer *bench_glib() { return peers; }
