"""The library's settings as a Dagster resource."""

import dagster as dg

from bnpl_features.settings import Settings, load_settings


class SettingsResource(dg.ConfigurableResource[Settings]):
    """The settings file and environment; `overrides` are variables that take precedence, for one run or a test."""

    overrides: dict[str, str] = {}

    def load(self) -> Settings:
        return load_settings(overrides=self.overrides)
