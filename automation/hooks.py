"""What a job does when a step of it fails."""

import dagster as dg

from assets.monitoring import tell_end_of_run
from resources.settings import SettingsResource


@dg.failure_hook(required_resource_keys={"settings"})
def tell_failure(context: dg.HookContext) -> None:
    """Prometheus is told at once: nobody has to wait for 06:00 to see that nothing will be published."""
    settings: SettingsResource = context.resources.settings
    tell_end_of_run(settings.load(), context.log, context.job_name, failed=True)
