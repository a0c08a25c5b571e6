"""The script that makes .venv: which uv it takes, and when it works anew."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path

import pytest

from deploy import environment

LOCK = """# made by uv
uv==1.2 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via ordertrail
uvicorn==3 \\
    --hash=sha256:cc
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a lock of two packages and no .venv."""
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nordertrail = "cli.__main__:main"\n\n[tool.x]\n')
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    return tmp_path


def test_uv_itself_comes_from_the_lock_with_its_hashes(checkout: Path) -> None:
    assert environment._locked("uv") == "uv==1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert environment._locked("uvicorn") == "uvicorn==3 \\\n    --hash=sha256:cc\n"
    with pytest.raises(environment.Trouble, match="no pip -- restore it from git"):
        environment._locked("pip")


def test_a_finished_environment_is_left_alone_until_the_lock_changes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(environment, "_make", made.append)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".made-from").write_text(environment._fingerprint())
    assert environment.main() == 0
    assert made == []
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("more==1 \\\n    --hash=sha256:dd\n")
    assert environment.main() == 0
    assert len(made) == 1


def test_other_settings_of_the_project_do_not_make_it_anew(checkout: Path) -> None:
    before = environment._fingerprint()
    with (checkout / "pyproject.toml").open("a") as project:
        project.write("y = 1\n")
    assert environment._fingerprint() == before


@pytest.mark.parametrize(
    ("free", "said"), [(10, "only 10 MB are free for .venv -- free 1490 MB more"), (10_000, "python3-venv")]
)
def test_what_is_missing_is_told_in_one_line(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], free: int, said: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(free))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert environment.main() == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


class _Usage:
    def __init__(self, megabytes: int) -> None:
        self.free = megabytes * 2**20


def test_the_script_can_be_read_by_the_python_it_tells_apart() -> None:
    ast.parse(Path(environment.__file__).read_text(), feature_version=(3, 5))
