/// call_sites.cpp: each function is one call of a cache, a memo or a method, as in the functions of an application.
/// call_sites.py measures their code.
#include <phicache.hpp>

#include <string>
#include <vector>

using phicache::bytes;
using phicache::dict_cache;
using repertoire = std::vector<double>;

struct distribution {
    double of[4];
};

double distance(const double* p, const double* q, std::size_t count);
repertoire unconstrained(const double* p, std::size_t count);
distribution joint(const double* p);

struct site {
    static double memoize_double(dict_cache& cache, bytes key, const double* p, const double* q, std::size_t n) {
        return cache.memoize<double>(key, [&] { return distance(p, q, n); });
    }
    static double memoize_through_a_view(phicache::cache cache, bytes key, const double* p, std::size_t n) {
        return cache.memoize<double>(key, [&] { return distance(p, p, n); });
    }
    static phicache::expected<double> try_memoize_double(dict_cache& cache, bytes key, const double* p) {
        return cache.try_memoize<double>(key, [&] { return distance(p, p, 1); });
    }
    static distribution memoize_object(dict_cache& cache, bytes key, const double* p) {
        return cache.memoize<distribution>(key, [&] { return joint(p); });
    }
    static repertoire memoize_vector(dict_cache& cache, bytes key, const double* p, std::size_t n) {
        return cache.memoize<repertoire>(key, [&] { return unconstrained(p, n); });
    }
    static phicache::value memoize_pinned(dict_cache& cache, bytes key, const double* p, std::size_t n) {
        return cache.memoize(key, [&] { return unconstrained(p, n); });
    }
    static double memoize_mice(phicache::mice_cache& cache, bytes key, const phicache::mice<>& record) {
        return cache.memoize(key, [&] { return record; }).phi();
    }
    static std::size_t memoize_purviews(phicache::purview_cache& cache, phicache::node_set nodes) {
        const auto compute = [&] { return std::vector<phicache::node_set>{nodes}; };
        return cache.memoize(phicache::direction::cause, nodes, compute).size();
    }
    static double get_double(dict_cache& cache, bytes key) { return cache.get<double>(key).value_or(0); }
    static std::size_t get_vector(dict_cache& cache, bytes key) { return cache.get<repertoire>(key)->size(); }
    static std::size_t get_pinned(dict_cache& cache, bytes key) { return cache.get(key)->size(); }
    static bool set_double(dict_cache& cache, bytes key, double number) { return cache.set(key, number).stored(); }
    static bool set_vector(dict_cache& cache, bytes key, const repertoire& p) { return cache.set(key, p).stored(); }
    static double call_memo(const phicache::memo<double(double, double)>& memo, double p) { return memo(p, p); }
    static double call_memo_of_vectors(const phicache::memo<double(const repertoire&, const repertoire&)>& memo,
                                       const repertoire& p) {
        return memo(p, p);
    }
    static double call_method(const phicache::method<double(distribution&, int)>& method, phicache::cache cache,
                              distribution& object) {
        return method(cache, object, 3);
    }
    static bool read_in_place(const phicache::read_section& section, phicache::cache cache, bytes key) {
        return section.get(cache, key).has_value();
    }
};

/// Keeps the functions in the object file.
template <class Function>
const void* kept(Function* function) {
    return reinterpret_cast<const void*>(function);
}
extern const void* const sites[];
const void* const sites[] = {
    kept(&site::memoize_double),
    kept(&site::memoize_through_a_view),
    kept(&site::try_memoize_double),
    kept(&site::memoize_object),
    kept(&site::memoize_vector),
    kept(&site::memoize_pinned),
    kept(&site::memoize_mice),
    kept(&site::memoize_purviews),
    kept(&site::get_double),
    kept(&site::get_vector),
    kept(&site::get_pinned),
    kept(&site::set_double),
    kept(&site::set_vector),
    kept(&site::call_memo),
    kept(&site::call_memo_of_vectors),
    kept(&site::call_method),
    kept(&site::read_in_place),
};
