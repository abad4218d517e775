"""Markdown files: links lead somewhere, the README stays short, the hooks before a commit run what `make lint` runs."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from components import __version__

PROJECT = Path(__file__).parents[1]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=PROJECT,
    capture_output=True,
    text=True,
    check=False,
).stdout.split()
PAGES = [name for name in TRACKED if (PROJECT / name).is_file()] or [
    str(path.relative_to(PROJECT)) for path in PROJECT.rglob("*.md") if ".venv" not in path.parts
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")


def text_of(page: Path) -> str:
    """The page without code, in which brackets are no links and "#" begins no heading."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in links."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """The relative links of a page to a file or heading that does not exist."""
    broken = []
    for link in LINK.findall(re.sub(r"`[^`]*`", "", text_of(page)) if page.suffix == ".md" else ""):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("name", PAGES)
def test_relative_links_lead_to_a_file_and_a_heading(name):
    assert broken_links(PROJECT / name) == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A `heading`, once\n[a](#a-heading-once) [b](page.md) [c](missing.md) [d](#b) [e](https://x.org)\n"
    )
    assert broken_links(page) == ["missing.md", "#b"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_pages_are_among_those_that_are_checked(name):
    assert name in PAGES


def test_the_readme_is_short():
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110


def test_every_page_of_documentation_is_linked_from_the_readme():
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (PROJECT / "docs").glob("*.md") if f"(docs/{page.name})" not in readme] == []


def test_the_changelog_has_the_version():
    assert f"\n## [{__version__}] - " in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_hooks_before_a_commit_run_all_that_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    lint = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.group(1).splitlines()]
    configuration = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repository in configuration["repos"] for hook in repository["hooks"]]
    assert set(lint) <= set(hooks)
