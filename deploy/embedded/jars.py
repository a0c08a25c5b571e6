"""Fetches Kafka's jars: exactly those of `jars.lock`, each checked against its hash before it is used.

`python -m deploy.embedded.jars lock` writes `jars.lock` anew from ROOTS (needs mvn); nothing else needs mvn or java.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.cache import cache_directory
from deploy.embedded.errors import SetupError, explained

LOCK_FILE = Path(__file__).with_name("jars.lock")
ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
FETCH_TIMEOUT_SECONDS = 60
FETCHES_AT_ONCE = 8
MAVEN_TIMEOUT_SECONDS = 300

Report = Callable[[str], None]


@dataclass(frozen=True)
class Jar:
    """One locked jar."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> Path:
        """Where a Maven repository keeps it, relative to the repository's root."""
        return Path(*self.group.split("."), self.artifact, self.version, self.file_name)


def locked_jars(lock_file: Path = LOCK_FILE) -> list[Jar]:
    """The jars of the lock file, in its order (which is the class path's order)."""
    jars = []
    for number, line in enumerate(lock_file.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            coordinate, digest = line.split()
            group, artifact, version = coordinate.split(":")
            algorithm, sha256 = digest.split(":")
        except ValueError:
            raise SetupError(f"{lock_file}:{number} is not a locked jar: {line!r}", "restore it from git") from None
        if algorithm != "sha256" or len(sha256) != 64:
            raise SetupError(f"{lock_file}:{number} has no sha256", "restore it from git")
        jars.append(Jar(group, artifact, version, sha256))
    return jars


def class_path(report: Report = lambda _: None) -> list[Path]:
    """Paths of all locked jars, fetched when the cache lacks them. Raises SetupError when one cannot be had."""
    directory = cache_directory("jars")
    jars = locked_jars()
    missing = [jar for jar in jars if not _intact(directory / jar.file_name, jar)]
    if missing:
        report(f"fetching Kafka ({len(missing)} jars)")
        with explained(directory):
            _fetch(missing, directory)
    return [directory / jar.file_name for jar in jars]


def _intact(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _fetch(missing: list[Jar], directory: Path) -> None:
    left = [jar for jar in missing if not _adopt(_local_repository() / jar.repository_path, jar, directory)]
    if not left:
        return
    with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as scratch:
        problems = _fetch_with_jgo(left, Path(scratch), directory)
        left = [jar for jar in left if not _intact(directory / jar.file_name, jar)]
        if left and shutil.which("mvn"):
            problems += _fetch_with_maven(left, Path(scratch), directory)
            left = [jar for jar in left if not _intact(directory / jar.file_name, jar)]
    if left:
        raise SetupError(
            f"could not fetch {left[0].file_name} and {len(left) - 1} more ({problems[0] if problems else 'bad hash'})",
            "check the connection to the Maven repository, or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka",
        )


def _local_repository() -> Path:
    return Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")


def _adopt(source: Path, jar: Jar, directory: Path) -> bool:
    """Copy `source` into the cache under its final name in one step, if it is what the lock says."""
    if not _intact(source, jar):
        return False
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".jar-", delete=False) as copy, source.open("rb") as file:
        shutil.copyfileobj(file, copy)
    os.chmod(copy.name, 0o644)
    os.replace(copy.name, directory / jar.file_name)
    return True


def _fetch_with_jgo(jars: Iterable[Jar], scratch: Path, directory: Path) -> list[str]:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=scratch / "jgo", timeout=FETCH_TIMEOUT_SECONDS)

    def one(jar: Jar) -> str | None:
        try:
            path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (RuntimeError, OSError, AssertionError) as error:
            return f"{type(error).__name__}: {str(error)[:200]}"
        return None if _adopt(Path(path), jar, directory) else f"{jar.file_name} does not have the locked hash"

    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        return [problem for problem in pool.map(one, jars) if problem]


def _fetch_with_maven(jars: Iterable[Jar], scratch: Path, directory: Path) -> list[str]:
    jars = list(jars)
    coordinates = [f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars]
    try:
        out = copy_dependencies(coordinates, scratch, transitive=False)
    except (subprocess.SubprocessError, OSError) as error:
        return [f"mvn: {error}"[:200]]
    return [
        f"{jar.file_name} does not have the locked hash"
        for jar in jars
        if not _adopt(out / jar.repository_path, jar, directory)
    ]


def copy_dependencies(coordinates: Iterable[str], scratch: Path, *, transitive: bool) -> Path:
    """Let Maven put the jars of `coordinates` into a directory below `scratch`, laid out like a repository."""
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    dependencies = "".join(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{}</dependency>".format(
            *coordinate.split(":"), "" if transitive else alone
        )
        for coordinate in coordinates
    )
    (scratch / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>ordertrail</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
    out = scratch / "jars"
    subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={out}", "-DincludeScope=runtime",
         "-Dmdep.useRepositoryLayout=true"],
        cwd=scratch, check=True, timeout=MAVEN_TIMEOUT_SECONDS, capture_output=True,
    )  # fmt: skip
    return out


def write_lock(lock_file: Path = LOCK_FILE) -> int:
    """Resolve ROOTS with Maven and write the lock file; returns the number of jars."""
    with tempfile.TemporaryDirectory() as scratch:
        out = copy_dependencies(ROOTS, Path(scratch), transitive=True)
        lines = []
        for path in sorted(out.rglob("*.jar")):
            version, artifact = path.parent.name, path.parent.parent.name
            group = ".".join(path.parent.parent.parent.relative_to(out).parts)
            lines.append(f"{group}:{artifact}:{version} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    lock_file.write_text("\n".join(sorted(lines)) + "\n")
    return len(lines)


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m deploy.embedded.jars lock")
    sys.stdout.write(f"{LOCK_FILE.name}: {write_lock()} jars\n")
