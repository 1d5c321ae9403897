/// dangling.cpp: bytes and text that are kept longer than what they refer to. clang sees it; g++ does not. Each case
/// is one mistake, with a part of the expected message.
#include <array>
#include <phicache.hpp>
#include <string>
#include <string_view>
#include <vector>

using phicache::bytes;
using phicache::key;

bytes returned(const std::vector<double>& numbers);
bytes returned(const std::vector<double>& numbers) {
#if CASE == 0 || CASE > 2
    return numbers;
#elif CASE == 1  // returning address of local temporary
    return key::of(numbers);
#elif CASE == 2  // returned
    const std::vector<double> copy = numbers;
    return copy;
#endif
}

void use(const phicache::dict_cache& cache, const std::string& name, int number);
void use(const phicache::dict_cache& cache, const std::string& name, int number) {
    [[maybe_unused]] const std::vector<double> numbers{1, 2};
    (void)cache, (void)name, (void)number;
#if CASE == 0
    const key made = key::of(1);
    const bytes kept[] = {made,  numbers, name, std::string_view(name), phicache::span<const double>(numbers),
                          "key", phicache::bytes_of(number)};
    for (const bytes each : kept) (void)cache.get(each);
    (void)cache.memoize<double>(key::of(1, name + "!"), [] { return 1.0; });
    (void)cache.get<double>(phicache::bytes_of(number + 1));
    cache.set(std::vector<double>{1}, std::string("value"));
#elif CASE == 3  // will be destroyed at the end
    const bytes kept = key::of(1);
    (void)cache.get(kept);
#elif CASE == 4  // will be destroyed at the end
    const auto kept = key::of(1).encode();
    (void)cache.get(kept);
#elif CASE == 5  // will be destroyed at the end
    const bytes kept = name + "!";
    (void)cache.get(kept);
#elif CASE == 6  // will be destroyed at the end
    const bytes kept(std::array<double, 2>{1, 2});
    (void)cache.get(kept);
#elif CASE == 7  // will be destroyed at the end
    const bytes kept = phicache::bytes_of(number + 1);
    (void)cache.get(kept);
#elif CASE == 8  // will be destroyed at the end
    const bytes kept = phicache::key_bytes{numbers, numbers};
    (void)cache.get(kept);
#elif CASE == 9  // will be destroyed at the end
    const bytes kept = cache.memoize("key", [] { return 1.0; });
    (void)cache.get(kept);
#elif CASE == 10  // will be destroyed at the end
    const phicache::text kept = name + "!";
    (void)phicache::key().keyword(kept);
#endif
}
