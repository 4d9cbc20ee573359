"""The house rules: which way imports point, who may know what, how large a module may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each package may import those to its right, and itself; what stands side by side may not know one another.
LOCATION_LAYERS = ["definitions", "automation", "checks", "assets", "resources", "bnpl_features"]
LIBRARY_LAYERS = [
    {"cli"},
    {"console"},
    {"doctor", "collection", "interop"},
    {"connect", "transport"},
    {"settings"},
    {"references"},
    {"variables"},
    {"sections"},
    {"monitoring"},
    {"alerts", "retraining"},
    {"simulator", "scoring", "streaming", "catalogue", "plan"},
    {"risk_model"},
    {"drift"},
    {"store", "warehouse"},
    {"derive"},
    {"features"},
    {"telemetry"},
    {"errors"},
]
HOT_PATH = ["bnpl_features.store.reader"]
NOT_ON_THE_HOT_PATH = {"pandas", "pandera", "dagster", "pyarrow", "duckdb", "sqlglot", "click", "rich", "google"}
LARGEST_MODULE_LINES = 300
MOST_MODULES_OVER_250_LINES = 6


def modules(*folders: str) -> list[Path]:
    paths = [ROOT / folder for folder in folders]
    return [module for path in paths for module in ([path] if path.is_file() else sorted(path.rglob("*.py")))]


def imports_of(path: Path) -> set[str]:
    """The absolute names of the modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rank_in_library(name: str) -> int | None:
    parts = name.split(".")
    if parts[0] != "bnpl_features" or len(parts) < 2:
        return None
    return next((rank for rank, layer in enumerate(LIBRARY_LAYERS) if parts[1] in layer), None)


@pytest.mark.parametrize("path", modules("bnpl_features"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_imports_neither_dagster_nor_the_code_location(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}

    assert not roots & {"dagster", "dagster_gcp", *LOCATION_LAYERS[:-1], "tests", "benchmarks"}


@pytest.mark.parametrize("path", modules("bnpl_features"), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_inside_the_library_point_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).with_suffix("").parts
    rank = rank_in_library(".".join(own))
    for name in imports_of(path):
        other = rank_in_library(name)
        if rank is None or other is None or name.split(".")[1] == own[1]:
            continue
        # Settings name the source's column map, whose type belongs to the warehouse.
        allowed_source = own[1] in ("settings", "sections") and name.startswith("bnpl_features.warehouse.transactions")
        assert other > rank or allowed_source, f"{'.'.join(own)} must not import {name}"


@pytest.mark.parametrize(
    "path",
    modules("definitions.py", "automation", "checks", "assets", "resources"),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_imports_inside_the_code_location_point_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    if path.name in ("launch.py", "outlook.py"):
        pytest.skip("an entry point: it starts from the definitions")
    rank = LOCATION_LAYERS.index(own)
    for name in imports_of(path):
        other = name.split(".")[0]
        if other in LOCATION_LAYERS and other != own:
            assert LOCATION_LAYERS.index(other) > rank, f"{path.relative_to(ROOT)} must not import {name}"


@pytest.mark.parametrize(
    "path",
    modules("definitions.py", "automation", "checks", "assets"),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_the_code_location_speaks_to_redis_and_bigquery_only_through_the_library(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}

    assert not roots & {"redis", "valkey", "google", "duckdb", "sqlglot", "pandera"}


@pytest.mark.parametrize("path", modules("bnpl_features/features"), ids=lambda p: p.name)
def test_declarations_need_only_the_standard_library(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)} - {"bnpl_features"}

    assert roots <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", modules("bnpl_features"), ids=lambda p: str(p.relative_to(ROOT)))
def test_pandera_appears_only_where_the_schema_is_derived(path: Path) -> None:
    if any(name.split(".")[0] == "pandera" for name in imports_of(path)):
        assert path.relative_to(ROOT) == Path("bnpl_features/derive/schema.py")


@pytest.mark.parametrize(
    "path",
    modules("bnpl_features", "assets", "checks", "resources", "definitions.py"),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_only_the_settings_module_reads_the_environment(path: Path) -> None:
    if path.relative_to(ROOT) == Path("bnpl_features/settings.py"):
        pytest.skip("this is the one")
    # The command line hands its own environment on to the processes that it starts.
    if path.relative_to(ROOT) == Path("bnpl_features/cli/pipeline.py"):
        pytest.skip("hands the environment on")
    text = path.read_text()

    assert "os.environ" not in text
    assert "getenv" not in text


@pytest.mark.parametrize("module", HOT_PATH)
def test_the_hot_path_loads_nothing_heavy_in_a_fresh_process(module: str) -> None:
    code = f"import sys, {module}; print(' '.join(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout

    assert not {name.split(".")[0] for name in loaded.split()} & NOT_ON_THE_HOT_PATH


@pytest.mark.parametrize("module", ["bnpl_features.risk_model.model_files", "bnpl_features.risk_model.registry"])
def test_scoring_needs_lightgbm_and_numpy_but_no_warehouse(module: str) -> None:
    """By the sources, since LightGBM loads whatever data frames are installed."""
    seen: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = (ROOT / Path(*name.split("."))).with_suffix(".py")
        waiting |= {found for found in (imports_of(path) if path.is_file() else ()) if found not in seen}

    assert not {name.split(".")[0] for name in seen} & (NOT_ON_THE_HOT_PATH | {"matplotlib", "sklearn"})


def test_modules_stay_small() -> None:
    folders = ("bnpl_features", "assets", "checks", "resources", "automation", "definitions.py")
    lines = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in modules(*folders)}

    assert {name: count for name, count in lines.items() if count > LARGEST_MODULE_LINES} == {}
    assert len([name for name, count in lines.items() if count > 250]) <= MOST_MODULES_OVER_250_LINES


def test_no_module_is_named_for_nothing_in_particular() -> None:
    names = {p.stem for p in modules("bnpl_features", "assets", "checks", "resources", "automation")}

    assert not names & {"utils", "util", "helpers", "common", "base", "misc"}
