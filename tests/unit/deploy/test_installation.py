"""Settings of a local installation, its secrets, and its account of itself."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.errors import SetupError, explained
from deploy.embedded.installation import Installation, named_database, read_env_file
from deploy.embedded.status import Pid, ProgramStatus, Status, age, left_behind, lock, read_status, write_status
from deploy.embedded.supervisor import check_disk
from deploy.secrets import PASSWORDS, RINGS, Secrets
from services.identity.vault import Vault
from shared.keyring import parse_keys
from shared.postgres.migrate import SCHEMAS


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_port_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERTRAIL_ORDER_PORT", "eight")
    with pytest.raises(SetupError, match="ORDERTRAIL_ORDER_PORT is 'eight' -- it has to be a port"):
        Installation.current()


def test_env_files_are_read_as_compose_reads_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# ORDERTRAIL_A=1\nORDERTRAIL_B=two words\n\nORDERTRAIL_C='quoted'\nORDERTRAIL_D=\nnot a setting\n")
    assert read_env_file(path) == {"ORDERTRAIL_B": "two words", "ORDERTRAIL_C": "quoted", "ORDERTRAIL_D": ""}
    assert read_env_file(tmp_path / "absent") == {}


def test_a_service_is_told_nothing_of_others_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORDERTRAIL_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("ORDERTRAIL_ADMIN_DATABASE_URL", "postgresql://root:secret@elsewhere/x")
    monkeypatch.setenv("ORDERTRAIL_DEMO_PASSWORD", "secret")
    monkeypatch.setenv("ORDERTRAIL_LOG_LEVEL", "debug")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environment = Installation.current().service_environment("order")
    assert "secret" not in " ".join(environment.values()).replace(str(tmp_path / "secrets" / "order"), "")
    assert environment["ORDERTRAIL_LOG_LEVEL"] == "debug"
    assert environment["ORDERTRAIL_SECRETS_DIR"] == str(tmp_path / "secrets" / "order")


def test_behind_a_proxy_services_know_their_outside_addresses_and_call_each_other_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside = "https://orders.example"
    monkeypatch.setenv("ORDERTRAIL_RUN_DIR", str(tmp_path))
    for name in ("CONSOLE_URL", "NOTIFICATION_URL", "IDENTITY_ISSUER"):
        monkeypatch.setenv(f"ORDERTRAIL_{name}", outside)
    told = {name: Installation.current().service_environment(name) for name in ("notification", "identity", "console")}
    for name, environment in told.items():
        assert environment["ORDERTRAIL_CONSOLE_URL"] == environment["ORDERTRAIL_IDENTITY_ISSUER"] == outside
        assert environment["ORDERTRAIL_JWKS_URL"].startswith("http://127.0.0.1:")
        assert (environment["ORDERTRAIL_NOTIFICATION_URL"] == outside) == (name == "notification")


@pytest.mark.parametrize(
    ("given", "url", "name"),
    [
        ("postgresql://a:b@h:1/postgres", "postgresql://a:b@h:1/ordertrail", "ordertrail"),
        ("postgresql://a:b@h:1", "postgresql://a:b@h:1/ordertrail", "ordertrail"),
        ("postgresql://a:b@h:1/mine?sslmode=require", "postgresql://a:b@h:1/mine?sslmode=require", "mine"),
    ],
)
def test_the_database_is_the_one_that_is_named_or_our_own(given: str, url: str, name: str) -> None:
    assert named_database(given) == (url, name)


def test_secrets_are_random_private_and_kept(tmp_path: Path) -> None:
    made = Secrets(tmp_path / "secrets")
    made.ensure()
    made.write_database_urls("127.0.0.1:5432")
    before = made.role_passwords()
    assert len(set(before.values())) == 2 * len(SCHEMAS)
    for path in made.directory.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    made.ensure()
    made.write_database_urls("127.0.0.1:5433")
    assert made.role_passwords() == before
    assert made.read("order", "ordertrail_database_url").endswith("@127.0.0.1:5433/ordertrail")
    assert before["ordertrail_order"] in made.read("order", "ordertrail_database_url")


def test_a_ring_gets_a_new_key_before_the_others_and_loses_them_when_they_retire(tmp_path: Path) -> None:
    made = Secrets(tmp_path / "secrets")
    with pytest.raises(SetupError, match="there is no console/ordertrail_console_session_keys in "):
        made.rotate("ordertrail_console_session_keys")
    made.ensure()
    for name, folders in RINGS.items():
        first = made.read(folders[0], name)
        made.rotate(name)
        made.rotate(name)
        keys = made.read(folders[0], name).split(",")
        assert (len(keys), keys[-1]) == (3, first)
        # as the services read them: whole, and no id twice
        assert len(parse_keys(",".join(keys), "") if ":" in first else Vault(",".join(keys))._keys) == 3
        made.retire(name)
        assert {made.read(folder, name) for folder in folders} == {keys[0]}


def test_database_passwords_are_all_exchanged(tmp_path: Path) -> None:
    made = Secrets(tmp_path / "secrets")
    made.ensure()
    before = made.role_passwords()
    made.rotate(PASSWORDS)
    assert not set(before.values()) & set(made.role_passwords().values())


def test_secrets_for_groups_are_readable_for_the_group_alone(tmp_path: Path) -> None:
    made = Secrets(tmp_path / "secrets", {"order": os.getgid()})
    made.ensure()
    made.write_database_urls("postgres:5432?sslmode=disable")
    assert mode(tmp_path / "secrets") == 0o711
    assert mode(tmp_path / "secrets" / "order") == 0o750
    assert mode(tmp_path / "secrets" / "order" / "ordertrail_database_url") == 0o440
    assert mode(tmp_path / "secrets" / "roles") == 0o700
    assert made.read("order", "ordertrail_database_url").endswith("@postgres:5432/ordertrail?sslmode=disable")


def put(folder: Path, place: str, value: str) -> int:
    command = [sys.executable, "-m", "deploy.secrets", str(folder), "--put", place]
    return subprocess.run(command, input=value, text=True, capture_output=True, check=False).returncode


def test_a_secret_of_somebody_elses_making_is_put_in_its_place(tmp_path: Path) -> None:
    name = "ordertrail_oidc_client_secret"
    folder = tmp_path / "before the first start"
    assert put(folder, f"identity/{name}", "from the provider\n") == 0
    assert [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()] == [f"identity/{name}"]
    assert (mode(folder), mode(folder / "identity" / name)) == (0o700, 0o600)
    assert Secrets(folder).read("identity", name) == "from the provider"
    for place, value in ((f"identity/{name}", " "), ("identity/../x", "x"), ("roles/ordertrail_order", "x")):
        assert put(tmp_path, place, value) == 1


def test_the_account_survives_being_written_and_read(tmp_path: Path) -> None:
    written = Status(
        "ready", Pid.of(os.getpid()), "", {"order": ProgramStatus("ready", Pid.of(os.getpid()), 2, 8001, "signal 9")},
        ["line"],
    )  # fmt: skip
    write_status(tmp_path, written)
    assert read_status(tmp_path) == written
    assert written.alive
    assert mode(tmp_path / "status.json") == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "ready"}', '{"phase":1,"supervisor":{"n":1}}'])
def test_an_account_that_was_cut_off_reads_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert not read_status(tmp_path).alive


def test_a_process_with_a_reused_number_is_not_taken_for_ours() -> None:
    ours = Pid.of(os.getpid())
    assert ours
    assert ours.process()
    assert Pid(ours.number, ours.created - 100).process() is None
    status = Status(programs={"order": ProgramStatus("ready", Pid(ours.number, ours.created - 100))})
    assert left_behind(status) == []


def test_only_one_supervisor_has_the_lock(tmp_path: Path) -> None:
    held = lock(tmp_path)
    assert held is not None
    assert lock(tmp_path) is None
    os.close(held)
    again = lock(tmp_path)
    assert again is not None
    os.close(again)


@pytest.mark.parametrize(
    ("number", "said"), [(28, "the disk that holds /x is full"), (13, "cannot write to /x"), (30, "cannot write to /x")]
)
def test_what_the_disk_refuses_is_told_in_one_line(number: int, said: str) -> None:
    with pytest.raises(SetupError, match=said) as caught, explained(Path("/x")):
        raise OSError(number, os.strerror(number), "/x")
    assert "\n" not in str(caught.value)
    assert " -- " in str(caught.value)


def test_a_disk_that_is_nearly_full_is_refused_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_disk(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100 * 2**20))
    with pytest.raises(SetupError, match=r"only 100 MB are free .* -- free 401 MB, or set ORDERTRAIL_RUN_DIR"):
        check_disk(tmp_path)


@pytest.mark.parametrize(("seconds", "said"), [(5, "5s"), (125, "2m"), (7300, "2h"), (200_000, "2d")])
def test_ages_are_short(seconds: float, said: str) -> None:
    assert age(seconds) == said
