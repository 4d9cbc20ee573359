"""The deployments that these tests run in."""

from tests.code_location import location, template, valkey

__all__ = ["location", "template", "valkey"]
