"""What the site shows beside docs/: README, CHANGELOG, CONTRIBUTING, an index of the decisions, all of the navigation.

MkDocs calls these hooks; pages keep the links that work where they lie in the repository.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
FILLED = ("runbooks", "runbooks/disasters", "decisions")
"""Folders that the navigation names instead of each of their pages."""

_INDEX = "decisions/index.md"
_LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = _filled(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=_relinked((ROOT / source).read_text(), ROOT)))
    files.append(File.generated(config, "LICENSE", content=(ROOT / "LICENSE").read_text()))
    files.append(File.generated(config, _INDEX, content=_decisions()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    source = page.file.abs_src_path
    return _relinked(markdown, Path(source).parent) if source else markdown


def _filled(part: Any) -> Any:
    """The navigation with a folder's pages in the place of its name."""
    if isinstance(part, list):
        return [_filled(one) for one in part]
    if isinstance(part, dict):
        return {name: _filled(one) for name, one in part.items()}
    if part in FILLED:
        own = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / part).glob("*.md"))
        return [_INDEX, *own] if part == "decisions" else own
    return part


def _relinked(markdown: str, folder: Path) -> str:
    """Links out of docs/ lead to the pages that stand for those files."""

    def replaced(found: re.Match[str]) -> str:
        target, fragment = found[1], found[2] or ""
        if ":" in target:
            return found[0]
        path = (folder / target).resolve()
        if path == ROOT / "docs" / "decisions":
            return f"]({_INDEX})"
        here = folder.relative_to(ROOT / "docs") if folder.is_relative_to(ROOT / "docs") else Path()
        up = "../" * len(here.parts)
        if path.parent == ROOT and path.name in (*PAGES, "LICENSE"):
            return f"]({up}{PAGES.get(path.name, path.name)}{fragment})"
        if folder == ROOT and path.is_relative_to(ROOT / "docs"):
            return f"]({path.relative_to(ROOT / 'docs').as_posix()}{fragment})"
        return found[0]

    return _LINK.sub(replaced, markdown)


def _decisions() -> str:
    """A list of the decisions by their own headings."""
    lines = [
        "# Decisions",
        "",
        "Why it is built this way, a page each time something departed from the plan or surprised.",
        "",
    ]
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        heading = path.read_text().partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{heading}]({path.name})")
    return "\n".join(lines) + "\n"
