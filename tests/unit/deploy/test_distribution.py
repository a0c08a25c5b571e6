"""Everything that is imported at run time is declared, and reaches the image."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = {"contracts", "shared", "services", "cli", "deploy", "benchmarks", "tests"}
# run in a checkout only
NOT_IN_THE_IMAGE = ("deploy/embedded/", "deploy/environment.py")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, str]:
    """Version by name, as the lock file has it."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {normal(name): version for name, version in found}


def declared(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=;! ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def imports() -> Iterator[tuple[Path, str]]:
    """(file, top-level name) of every import in the distribution that does not stand in a TYPE_CHECKING block."""
    for folder in ("contracts", "shared", "services", "cli", "deploy"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if str(path.relative_to(ROOT)).startswith(NOT_IN_THE_IMAGE):
                continue
            for node in _run_time_nodes(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((path, alias.name.split(".")[0]) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield path, node.module.split(".")[0]


def _run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run_time_nodes(child)


def test_what_is_imported_is_declared_as_a_dependency() -> None:
    distributions = packages_distributions()
    known = declared(PROJECT["dependencies"])
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in imports()
        if name not in OURS
        and name not in sys.stdlib_module_names
        and not {normal(one) for one in distributions.get(name, [])} & known
    }
    assert not missing, "add the distributions to pyproject.toml's dependencies and run `make lock`"


@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.lock", ["embedded", "dev"]), ("requirements-image.lock", [])]
)
def test_what_is_declared_is_locked(lock: str, extras: list[str]) -> None:
    wanted = declared(PROJECT["dependencies"])
    for extra in extras:
        wanted |= declared(PROJECT["optional-dependencies"][extra])
    assert wanted <= set(pins(lock)), "run `make lock`"


def test_the_image_has_the_same_versions_as_a_checkout_and_none_of_its_tools() -> None:
    image = pins("requirements-image.lock")
    assert image.items() <= pins("requirements.lock").items(), "run `make lock`"
    tools = declared(PROJECT["optional-dependencies"]["dev"] + PROJECT["optional-dependencies"]["embedded"])
    assert not (tools - declared(PROJECT["dependencies"])) & set(image)


def test_no_lock_names_a_host() -> None:
    for name in ("requirements.lock", "requirements-image.lock", "deploy/embedded/jars.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--index" not in text
