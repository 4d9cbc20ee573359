"""The store resource hands out the target and the client of one namespace."""

from resources.settings import SettingsResource
from resources.store import StoreResource
from tests.code_location import CodeLocation


def test_target_and_reader_see_the_same_version(location: CodeLocation) -> None:
    resource = StoreResource(settings=SettingsResource(overrides=location.variables))

    with resource.open() as target, resource.reader() as reader:
        assert target.keyspace.namespace == location.namespace
        assert reader.served is not None
        assert reader.served.manifest == location.served()
