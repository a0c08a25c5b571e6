"""Kafka's jars: only what the lock file says is ever used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from deploy.embedded import jars
from deploy.embedded.errors import SetupError
from deploy.embedded.jars import Jar, class_path, locked_jars


@pytest.fixture
def one_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jar:
    """A lock of one made-up jar, an empty cache, and a local Maven repository that has the jar."""
    content = b"not really a jar"
    jar = Jar("com.example", "thing", "1.0", hashlib.sha256(content).hexdigest())
    lock = tmp_path / "jars.lock"
    lock.write_text(f"# comment\ncom.example:thing:1.0 sha256:{jar.sha256}\n")
    source = tmp_path / "m2" / jar.repository_path
    source.parent.mkdir(parents=True)
    source.write_bytes(content)
    monkeypatch.setenv("ORDERTRAIL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setattr(jars, "locked_jars", lambda: locked_jars(lock))
    # the two ways over the network, which this made-up jar cannot be had by
    monkeypatch.setattr(jars, "_fetch_with_jgo", lambda *_: ["no network here"])
    monkeypatch.setattr(jars, "_fetch_with_maven", lambda *_: [])
    return jar


def test_the_lock_is_complete_and_has_kafka_first_of_all() -> None:
    found = locked_jars()
    assert {"kafka_2.13", "kafka-clients", "slf4j-simple"} <= {jar.artifact for jar in found}
    assert len({jar.file_name for jar in found}) == len(found)


@pytest.mark.parametrize(
    "line", ["com.example:thing sha256:00", "com.example:thing:1.0", "com.example:thing:1.0 md5:0"]
)
def test_a_damaged_lock_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text(f"\n{line}\n")
    with pytest.raises(SetupError, match=r"jars\.lock:2 .* restore it from git"):
        locked_jars(lock)


def test_a_jar_of_the_local_repository_is_taken_when_its_hash_is_right(one_jar: Jar, tmp_path: Path) -> None:
    said: list[str] = []
    [path] = class_path(said.append)
    assert path.read_bytes() == b"not really a jar"
    assert said == ["fetching Kafka (1 jars)"]
    said.clear()
    assert class_path(said.append) == [path]
    assert said == []
    assert list(path.parent.iterdir()) == [path]


def test_a_jar_with_another_hash_is_refused(one_jar: Jar, tmp_path: Path) -> None:
    (tmp_path / "m2" / one_jar.repository_path).write_bytes(b"something else")
    with pytest.raises(SetupError, match=r"could not fetch thing-1\.0\.jar .*KAFKA_BOOTSTRAP_SERVERS"):
        class_path()
    assert list((tmp_path / "cache" / "jars").iterdir()) == []


def test_a_jar_that_was_damaged_in_the_cache_is_fetched_again(one_jar: Jar) -> None:
    [path] = class_path()
    path.write_bytes(b"damaged")
    assert class_path() == [path]
    assert path.read_bytes() == b"not really a jar"
