"""PyPhi's settings, handed to the library's default configuration. Each new cache renews them."""

from pyphi import config

from .library import call


def renew():
    call("config_set_maximum_memory_percent", None, config.MAXIMUM_CACHE_MEMORY_PERCENTAGE)
    call("config_set_cache_potential_purviews", None, config.CACHE_POTENTIAL_PURVIEWS)
    call("config_set_redis_cache", None, config.REDIS_CACHE)
    server = "redis://{host}:{port}/{db}".format(**config.REDIS_CONFIG)
    call("config_set_redis_url", None, server.encode())
    # The keys, counts and lookups of PyPhi's Redis cache, which has the database to itself.
    call("config_set_redis_whole_database", None, True)


def of_results():
    """Everything but network, state and nodes that decides what a MICE is."""
    return {name: getattr(config, name) for name in ("MEASURE", "PARTITION_TYPE", "PICK_SMALLEST_PURVIEW", "PRECISION")}
