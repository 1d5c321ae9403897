// The second unit of program.cpp.
#include <phicache.hpp>

double from_the_other_unit(phicache::dict_cache &cache);

double from_the_other_unit(phicache::dict_cache &cache) {
    const auto found = cache.get("key");
    return found ? found->as<double>() : -1.0;
}
