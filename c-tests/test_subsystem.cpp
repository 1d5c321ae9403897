/// test_subsystem.cpp: cuts, subsystems, and the keys that cuts share.
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"

using phicache::bytes;
using phicache::cut;
using phicache::direction;
using phicache::fingerprint;
using phicache::node_set;
using phicache::status;
using phicache::subsystem;

namespace {

const std::vector<node_set> ring{{1}, {2}, {0}};

fingerprint network() {
    return fingerprint::of_network(std::vector<double>(24, 0.5), ring, "test_subsystem");
}
subsystem whole() { return subsystem(network(), {1, 0, 0}, {0, 1, 2}); }

void all_ways_of_creating_a_cut_agree() {
    const cut parts = cut::bipartition(3, {0}, {1, 2});
    CHECK_UINT(parts.size(), 3);
    CHECK((parts.severed(0) == node_set{1, 2}));
    CHECK(parts.severed(1).empty() && parts.severed(2).empty());
    CHECK(parts == cut::from_masks(std::vector<node_set>{{1, 2}, {}, {}}));
    CHECK(parts == cut::matrix(3, std::vector<std::uint8_t>{0, 1, 1, 0, 0, 0, 0, 0, 0}));
    CHECK(parts ==
          cut::matrix(3, std::vector<std::uint8_t>{0, 0, 0, 1, 0, 0, 1, 0, 0}, phicache::layout::column_major));
    CHECK(parts != cut::bipartition(3, {1, 2}, {0}));
    CHECK(parts != cut::bipartition(4, {0}, {1, 2}));
    const std::vector<node_set> mechanisms{{0}, {1}}, purviews{{1}, {0}};
    const cut pieces = cut::partition(2, direction::effect, mechanisms, purviews);
    CHECK(pieces == cut::from_masks(std::vector<node_set>{{0}, {1}}));
    CHECK_UINT(cut::bipartition(64, {63}, {0}).severed(63).mask(), 1);
}

void an_invalid_cut_is_an_error() {
    CHECK_ERROR(status::error_invalid_argument, cut::bipartition(0, {}, {}));
    CHECK_ERROR(status::error_invalid_argument, cut::bipartition(65, {0}, {1}));
    CHECK_ERROR(status::error_invalid_argument, cut::bipartition(2, {0}, {2}));
    CHECK_ERROR(status::error_invalid_argument, cut::matrix(3, std::vector<std::uint8_t>(8)));
    CHECK_ERROR(status::error_invalid_argument, cut::matrix(std::size_t{1} << 33, {}));
    CHECK_ERROR(status::error_invalid_argument, cut::from_masks(std::vector<node_set>(65)));
    CHECK_ERROR(status::error_invalid_argument, cut::from_masks({}));
    CHECK_ERROR(status::error_invalid_argument, cut::from_masks({node_set{0}, node_set{5}}));
    CHECK_ERROR(status::error_invalid_argument, cut::partition(2, direction::cause, {node_set{0}}, {}));
    CHECK(cut::try_bipartition(65, {0}, {1}).code() == status::error_invalid_argument);
    CHECK(cut::try_partition(2, static_cast<direction>(4), {node_set{0}}, {node_set{1}}).code() ==
          status::error_invalid_argument);
}

void a_cut_damages_mice_with_severed_connections() {
    const cut severed = cut::bipartition(3, {0}, {1});
    CHECK(severed.damages(direction::effect, {0}, {1}));
    CHECK(!severed.damages(direction::cause, {0}, {1}));
    CHECK(severed.damages(direction::cause, {1}, {0}));
    CHECK(severed.damages(direction::cause, {0, 1}, {2}));
    CHECK(!severed.damages(direction::effect, {2}, {0, 1}));
    CHECK(!severed.damages(direction::effect, {0, 2}, {}));
    CHECK(severed.damages(direction::effect, {0, 1}, {}));
    CHECK_ERROR(status::error_invalid_argument, severed.damages(static_cast<direction>(9), {0}, {1}));
    const subsystem under = whole().under(severed);
    CHECK(under.damages(direction::effect, {0}, {1}));
    CHECK(!under.damages(direction::effect, {1}, {0}));
    CHECK(!whole().damages(direction::effect, {0}, {1}));
}

void a_subsystem_is_its_identity_and_its_cut() {
    const subsystem uncut = whole();
    const subsystem severed = uncut.under(cut::bipartition(3, {0}, {1, 2}));
    const subsystem barely = uncut.under(cut::from_masks(std::vector<node_set>(3)));
    CHECK_UINT(uncut.size(), 3);
    CHECK_UINT(severed.size(), 3);
    CHECK((uncut.nodes() == node_set{0, 1, 2}));
    CHECK(!uncut.is_cut());
    CHECK(severed.is_cut());
    CHECK(barely.is_cut());
    CHECK(!severed.under(std::nullopt).is_cut());
    CHECK(severed.identity() == uncut.identity());
    CHECK(uncut.identity() != network());
    CHECK(uncut.identity() == subsystem(network(), {1, 0, 0}, {0, 1, 2}, ring).identity());
    CHECK(uncut.identity() != subsystem(network(), {0, 0, 0}, {0, 1, 2}).identity());
    CHECK(uncut.identity() != subsystem(network(), {1, 0, 0}, {0, 1}).identity());
    CHECK(subsystem(network(), {1, 0, 0}, {0, 1}, {}, cut::bipartition(3, {0}, {1})).is_cut());
}

void parts_of_different_sizes_are_errors() {
    CHECK_ERROR(status::error_invalid_argument, subsystem(network(), {}, {0}));
    CHECK(subsystem::try_make(network(), {1, 0, 0}, {}).has_value());  // it has no nodes
    CHECK_ERROR(status::error_invalid_argument, subsystem(network(), {1, 0, 0}, {3}));
    CHECK_ERROR(status::error_invalid_argument, subsystem(network(), {1, 0}, {0}, ring));
    CHECK_ERROR(status::error_invalid_argument,
                subsystem(network(), {1, 0, 0}, {0}, {}, cut::bipartition(4, {0}, {1})));
    CHECK_ERROR(status::error_invalid_argument, whole().under(cut::bipartition(4, {0}, {1})));
    CHECK_ERROR(status::error_invalid_argument, whole().under(cut::bipartition(2, {0}, {1})));
}

void a_message_names_what_has_another_size() {
    const cut small = cut::bipartition(2, {0}, {1});
    CHECK_MESSAGE("the cut is one of 2 nodes; expected one of the whole network, which has 3", whole().under(small));
    CHECK_MESSAGE("the cut is one of 2 nodes", subsystem(network(), {1, 0, 0}, {0}, {}, small));
    CHECK_MESSAGE("the state is that of 2 nodes and the connections are those of 3",
                  subsystem(network(), {1, 0}, {0}, ring));
    CHECK_MESSAGE("the state has 65 entries; expected", subsystem(network(), std::vector<bool>(65), {0}));
    CHECK_MESSAGE("has node 2, but the state is that of a network of 2 nodes", subsystem(network(), {1, 0}, {0, 1, 2}));
    CHECK_MESSAGE("node 1 is in state 3; expected 0 (OFF) or 1 (ON)", subsystem(network(), {1, 3, 0}, {0}));
    CHECK_MESSAGE("the mechanism 0x8 has node 3, which is not in the subsystem",
                  whole().key("r", direction::cause, {3}, {0}));
    CHECK_MESSAGE("the purview 0x8 has node 3, which is not in the network", small.damages(direction::cause, {0}, {3}));
    CHECK_MESSAGE("the TPM has 64 numbers and the connections are those of 3 nodes; expected 24, state by node: 8 rows",
                  fingerprint::of_network(std::vector<double>(64, 0.5), ring, "context"));
    CHECK_MESSAGE("the TPM has 1.5 for node 0 in row 0; expected a probability",
                  fingerprint::of_network(std::vector<double>(24, 1.5), ring, "context"));
    CHECK_MESSAGE("the TPM has 1e300 for node 0 in row 0; expected a probability",
                  fingerprint::of_network(std::vector<double>(24, 1e300), ring, "context"));
    CHECK_MESSAGE("the connections are those of 0 nodes", fingerprint::of_network({}, {}, "context"));
    CHECK_MESSAGE("a network of 65 nodes; expected 1 to 64", cut::bipartition(65, {0}, {1}));
    CHECK_MESSAGE("the matrix has 8 entries; a cut of 3 nodes needs 9", cut::matrix(3, std::vector<std::uint8_t>(8)));
    CHECK_MESSAGE("node 1 is severed from 0x20, beyond the cut's 2 nodes", cut::from_masks({node_set{0}, node_set{5}}));
    CHECK_MESSAGE("node index 64 is out of range; expected 0 to 63", node_set{64});
    // A saved text stays when the headers write the next one.
    const phicache::failure first = whole().try_under(small).error().with_saved_text();
    CHECK(!cut::try_from_masks({}));
    CHECK_CONTAINS(first.what(), "the cut is one of 2 nodes");
}

void cuts_share_the_keys_of_undamaged_results() {
    const subsystem uncut = whole();
    const subsystem one = uncut.under(cut::bipartition(3, {0}, {1, 2}));
    const subsystem other = uncut.under(cut::bipartition(3, {0, 2}, {1}));
    const auto same = [](const phicache::key_bytes& a, const phicache::key_bytes& b) { return bytes(a) == b; };
    CHECK(
        same(uncut.key("r", direction::effect, {1}, {0}), phicache::repertoire_key("r", direction::effect, {1}, {0})));
    CHECK(same(uncut.key("r", direction::effect, {1}, {0}), one.key("r", direction::effect, {1}, {0})));
    CHECK(!same(uncut.key("r", direction::effect, {0}, {1}), one.key("r", direction::effect, {0}, {1})));
    CHECK(same(one.key("r", direction::effect, {0}, {1}), other.key("r", direction::effect, {0}, {1})));
    CHECK(!same(one.key("r", direction::effect, {0}, {2}), other.key("r", direction::effect, {0}, {2})));
    CHECK(same(one.key("r", direction::cause, {1}, {0}), *one.try_key("r", direction::cause, {1}, {0})));
    CHECK(one.try_key("r", static_cast<direction>(8), {1}, {0}).code() == status::error_invalid_argument);
    const subsystem known = subsystem(network(), {1, 0, 0}, {0, 1, 2}, ring).under(cut::bipartition(3, {0}, {2}));
    CHECK(same(known.key("r", direction::effect, {0}, {2}), uncut.key("r", direction::effect, {0}, {2})));
}

void a_moved_from_subsystem_refuses_every_call() {
    subsystem first = whole();
    const subsystem second = std::move(first);
    CHECK((second.nodes() == node_set{0, 1, 2}));
    CHECK_ERROR(status::error_invalid_argument, first.nodes());
    CHECK_ERROR(status::error_invalid_argument, first.identity());
    CHECK_ERROR(status::error_invalid_argument, first.is_cut());
    CHECK_ERROR(status::error_invalid_argument, first.under(std::nullopt));
    CHECK_ERROR(status::error_invalid_argument, first.damages(direction::cause, {0}, {1}));
    CHECK_ERROR(status::error_invalid_argument, first.key("r", direction::cause, {0}, {1}));
}

void copies_share_a_subsystem() {
    std::optional<subsystem> first = whole();
    phicache_subsystem* const raw = first->handle();
    subsystem second = *first;
    CHECK(second.handle() == raw);
    CHECK(second.release() == nullptr);  // it is not the only owner
    subsystem third = second;
    second = third;
    first.reset();
    CHECK((third.nodes() == node_set{0, 1, 2}));
    CHECK_UINT(third.size(), 3);
    std::atomic<int> equal{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([copy = third, &equal] {
            for (int turn = 0; turn < 1000; ++turn) {
                const subsystem mine = copy;
                if (mine.nodes() == node_set{0, 1, 2}) ++equal;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_INT(equal, 4000);
    second.reset();
    CHECK(!second);
    subsystem last = third;
    third.reset();
    CHECK(last.release() == raw);
    CHECK_OK(phicache_subsystem_free(raw));
}

void a_state_is_bits_bools_or_integers() {
    const fingerprint expected = whole().identity();
    const std::uint8_t bytes_of_state[3] = {1, 0, 0};
    CHECK(subsystem(network(), std::vector<std::int32_t>{1, 0, 0}, {0, 1, 2}).identity() == expected);
    CHECK(subsystem(network(), std::vector<bool>{true, false, false}, {0, 1, 2}).identity() == expected);
    CHECK(subsystem(network(), bytes_of_state, {0, 1, 2}).identity() == expected);
    CHECK(subsystem(network(), std::vector<std::int64_t>{1, 0, 0}, {0, 1, 2}).identity() == expected);
    CHECK(subsystem(network(), phicache::node_states::from_bits(1, 3), {0, 1, 2}).identity() == expected);
    CHECK(subsystem(network(), phicache::node_states::from_bits(2, 3), {0, 1, 2}).identity() != expected);
    CHECK_ERROR(status::error_invalid_argument, phicache::node_states::from_bits(8, 3));
    CHECK_UINT(phicache::node_states::from_bits(~std::uint64_t{0}, 64).size(), 64);
    // Too many nodes, and numbers that 32 bits cannot hold.
    const std::vector<std::int64_t> large{std::int64_t{1} << 32, 0, 0};
    CHECK_ERROR(status::error_invalid_argument, subsystem(network(), large, {0, 1, 2}));
    CHECK_ERROR(status::error_invalid_argument, subsystem(network(), std::vector<bool>(65), {0}));
    CHECK_ERROR(status::error_invalid_argument, subsystem(network(), std::vector<std::uint32_t>{1u << 31, 0, 0}, {0}));
}

void a_matrix_of_floats_is_that_of_their_doubles() {
    std::vector<float> floats(24, 0.1f);
    CHECK(fingerprint::of_network(floats, ring, "context") ==
          fingerprint::of_network(std::vector<double>(24, 0.1f), ring, "context"));
    CHECK(fingerprint::of_network(floats, ring, "context") !=
          fingerprint::of_network(std::vector<double>(24, 0.1), ring, "context"));
    floats.pop_back();
    CHECK(fingerprint::try_of_network(floats, ring, "context").code() == status::error_invalid_argument);
}

}  // namespace

int main() {
    RUN(a_state_is_bits_bools_or_integers);
    RUN(a_matrix_of_floats_is_that_of_their_doubles);
    RUN(all_ways_of_creating_a_cut_agree);
    RUN(an_invalid_cut_is_an_error);
    RUN(a_cut_damages_mice_with_severed_connections);
    RUN(a_subsystem_is_its_identity_and_its_cut);
    RUN(parts_of_different_sizes_are_errors);
    RUN(a_message_names_what_has_another_size);
    RUN(cuts_share_the_keys_of_undamaged_results);
    RUN(a_moved_from_subsystem_refuses_every_call);
    RUN(copies_share_a_subsystem);
    return check_report();
}
