"""The store's servers."""

from tests.bnpl_features.store.conftest import any_shop, debian_redis, mortal, server, server_of_its_own, shop, valkey

__all__ = ["any_shop", "debian_redis", "mortal", "server", "server_of_its_own", "shop", "valkey"]
