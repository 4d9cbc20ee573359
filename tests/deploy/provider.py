"""Which arguments Google's Terraform provider takes, read from its bindings for Python (provider 6.50.0).

A resource is a module; the arguments of a block are the parameters of a class whose name is the path to the block.
Nothing is imported: that would start a JavaScript engine.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from zipfile import ZipFile

from tests.deploy.tools import VENV, tool

META_ARGUMENTS = {"count", "for_each", "depends_on", "lifecycle", "provider", "provisioner"}


@dataclass(frozen=True)
class Arguments:
    known: frozenset[str]
    required: frozenset[str]


def objections(resource: str, block: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a resource's arguments and blocks, such as `google_x: no argument y`."""
    classes = _classes(resource.removeprefix("google_"))
    yield from _objections(resource, _camel(resource.removeprefix("google_")), "Config", block, classes)


def _objections(
    where: str, path: str, suffix: str, block: Mapping[str, Any], classes: Mapping[str, Arguments]
) -> Iterator[str]:
    arguments = classes.get(path + suffix)
    if arguments is None:
        yield f"{where}: no such block"
        return
    given = {name for name in block if name != "__is_block__"}
    yield from (f"{where}: no argument {name}" for name in sorted(given - arguments.known - META_ARGUMENTS))
    yield from (f"{where}: {name} is missing" for name in sorted(arguments.required - given))
    for name, value in block.items():
        for one in value if isinstance(value, list) else ():
            if isinstance(one, dict) and one.get("__is_block__"):
                yield from _objections(f"{where}.{name}", path + _camel(name), "", one, classes)


@cache
def _classes(module: str) -> dict[str, Arguments]:
    tool("python")
    [wheel] = (VENV / "providers").glob("cdktf_cdktf_provider_google-*.whl")
    with ZipFile(wheel) as archive:
        source = archive.read(f"cdktf_cdktf_provider_google/{module}/__init__.py")
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for function in node.body:
                if isinstance(function, ast.FunctionDef) and function.name == "__init__":
                    given = function.args
                    pairs = list(zip(given.kwonlyargs, given.kw_defaults, strict=True))
                    known = frozenset(one.arg for one, _ in pairs)
                    required = frozenset(one.arg for one, default in pairs if default is None)
                    found[node.name] = Arguments(known, required)
    return found


def _camel(name: str) -> str:
    return "".join(re.sub(r"^\w", lambda first: first[0].upper(), part) for part in name.split("_"))
