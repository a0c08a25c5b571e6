"""Which Java is taken, told by running small programs that answer as a Java does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from deploy.embedded.errors import SetupError
from deploy.embedded.java import find_java


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing: no JAVA_HOME, an empty PATH, no Java among the packages."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    return tmp_path


def java(path: Path, version: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{version}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_java_home_comes_before_the_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java(machine / "home" / "bin" / "java", 'openjdk version "21.0.2" 2024-01-16')
    java(machine / "path" / "java", 'openjdk version "17.0.15" 2025-04-15')
    monkeypatch.setenv("JAVA_HOME", str(machine / "home"))
    found = find_java()
    assert (found.path, found.major) == (home, 21)


def test_what_is_too_old_or_broken_is_passed_over(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(machine / "home" / "bin" / "java", "no such thing", code=1)
    monkeypatch.setenv("JAVA_HOME", str(machine / "home"))
    path = java(machine / "path" / "java", 'openjdk version "17" 2021-09-14')
    assert find_java().path == path
    path.write_text(path.read_text().replace("17", "1.8.0_402"))
    with pytest.raises(SetupError) as caught:
        find_java()
    assert f"no Java 17 or newer ({path} is Java 8)" in str(caught.value)


@pytest.mark.parametrize(
    ("tool", "said"),
    [("apt-get", "apt-get install openjdk-17-jre-headless"), ("apk", "apk add openjdk21-jre-headless")],
)
def test_a_machine_without_any_is_told_its_own_command(machine: Path, tool: str, said: str) -> None:
    java(machine / "path" / tool, "")
    with pytest.raises(SetupError, match="or set KAFKA_BOOTSTRAP_SERVERS") as caught:
        find_java()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
