"""What every command says where the machine is not as it should be: one line, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import __main__ as command
from cli import dead_letters, orders
from cli.plain import plain
from services.order.verification import Verified


def _run(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    monkeypatch.setattr("sys.argv", ["ordertrail", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code


@pytest.mark.parametrize(
    "words",
    [
        ("verify-timeline",), ("reconcile",), ("dead-letters", "list"), ("seed", "--orders", "1"), ("status",),
        ("import", "x.json"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_setting_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ORDERTRAIL_ORDER_PORT", "abc")
    for given in ("ORDERTRAIL_TOKEN", "ORDERTRAIL_ADMIN_DATABASE_URL", "ORDERTRAIL_WORKER_DATABASE_URL"):
        monkeypatch.delenv(given, raising=False)
    assert _run(monkeypatch, *words) in (1, 2)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "ORDERTRAIL_ORDER_PORT is 'abc' -- it has to be a port, 1 to 65535\n")


def test_what_nobody_expected_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERTRAIL_WORKER_DATABASE_URL", "postgresql://[::1")
    assert _run(monkeypatch, "verify-timeline") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" not in line


@pytest.mark.parametrize(("words", "asked"), [(("dead-letters", "list"), "order"), (("reconcile",), "reporting")])
def test_the_settings_of_another_service_are_not_taken_for_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], asked: str
) -> None:
    url = "postgresql://ordertrail_identity_worker:x@127.0.0.1:9/ordertrail"
    monkeypatch.setenv("ORDERTRAIL_WORKER_DATABASE_URL", url)
    assert _run(monkeypatch, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"the settings here are those of identity, and this asks for {asked}'s database -- ")


def test_with_compose_what_is_for_make_up_says_what_to_do_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERTRAIL_COMPOSE", "true")
    assert _run(monkeypatch, "status") == 2
    assert capsys.readouterr().err == "status is for `make up` -- with Compose: docker compose ps\n"


def test_the_version_and_the_status_for_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("ordertrail ")
    monkeypatch.setenv("ORDERTRAIL_RUN_DIR", str(tmp_path))
    assert _run(monkeypatch, "status", "--json") == 3
    assert json.loads(capsys.readouterr().out)["running"] is False


def test_a_lifecycle_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "lifecycle", "diagram", "nowhere") == 2
    assert "neither a file nor one of" in capsys.readouterr().err


def test_what_others_wrote_moves_nothing_on_the_terminal() -> None:
    assert plain("a\x1b[2Jb\r\nc [/red]") == "a\ufffd[2Jb c [/red]"


def test_nothing_found_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def verified(_: object) -> tuple[list[object], Verified]:
        return [], Verified()

    monkeypatch.setattr(orders, "_verified", verified)
    assert _run(monkeypatch, "verify-timeline", "--marketplace", "01a20917-917e-7785-b3ea-1de9ccc0d5a2") == 2
    assert "is that its id?" in capsys.readouterr().err
    assert _run(monkeypatch, "verify-timeline") == 0
    monkeypatch.setattr(dead_letters, "_with", lambda *_: [])
    capsys.readouterr()
    assert _run(monkeypatch, "dead-letters", "redrive", "order", "--all") == 0
    assert capsys.readouterr().out == "No dead letters.\n"
