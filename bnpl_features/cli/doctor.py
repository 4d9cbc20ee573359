"""The command that checks the installation."""

from __future__ import annotations

import sys

import click
from rich.markup import escape

from bnpl_features.cli.output import console, print_json
from bnpl_features.doctor import Level, examine

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(as_json: bool) -> None:
    """Check configuration, connections and server settings, and say how to mend what is wrong.

    Ends with 0 where everything works (warnings included), otherwise with the largest code of what failed:
    2 a setting or the source, 3 the warehouse, 4 the online store.

    Example: bnpl-features doctor --json
    """
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            mark = f"[{_COLOURS[finding.level]}]{finding.level:4}[/]"
            console.print(f"{mark}  {finding.subject}: {escape(finding.message)}", highlight=False, soft_wrap=True)
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    sys.exit(max((f.exit_code for f in findings if f.level is Level.FAIL), default=0))
