"""What docker-compose.yml promises: hardened, on loopback, and the same servers as without containers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.embedded.installation import OTHER_PORTS, SERVICE_PORTS, read_env_file
from shared.postgres.migrate import SCHEMAS
from shared.web.door import OPERATIONS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("ordertrail")]
# their images run as a user of their own already, which is not root
USER_OF_THE_IMAGE = {"kafka", "kafka-ui", "otel-collector", "prometheus", "grafana", "jaeger"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    user = str(service.get("user", "")).split(":")[0]
    assert name in USER_OF_THE_IMAGE or user not in ("", "0", "root")


def test_no_two_services_share_a_user() -> None:
    users = [SERVICES[name]["user"] for name in OURS]
    assert len(set(users)) == len(users)


def test_each_service_may_read_its_own_secrets_only() -> None:
    given = dict(argument.removeprefix("--group=").split("=") for argument in SERVICES["secrets"]["entrypoint"][4:])
    assert set(SERVICE_PORTS) <= set(given)
    assert len(set(given.values())) == len(given)
    for name in SERVICE_PORTS:
        service = SERVICES[name]
        assert service["user"].split(":")[1] == given[name]
        assert service["environment"]["ORDERTRAIL_SECRETS_DIR"] == f"/run/ordertrail/{name}"
        assert service["volumes"] == ["secrets:/run/ordertrail:ro"]
        assert "group_add" not in service
    # the demo's maker signs in as people, so it needs identity's and the demo's; who looks after all, those of all:
    # nobody else has more than one, and nobody the administrator's
    assert {name for name in OURS if "group_add" in SERVICES[name]} == {"secrets", "seed", "cli"}
    assert SERVICES["cli"]["group_add"] == [given[name] for name in (*SCHEMAS, "demo")]
    assert SERVICES["seed"]["group_add"] == [given["identity"], given["demo"]]


@pytest.mark.parametrize("name", [name for name in SERVICES if SERVICES[name].get("ports")])
def test_ports_are_published_on_loopback(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{ORDERTRAIL_[A-Z_]+_PORT:-\d+\}:\d+", port), port


def test_images_have_a_version_and_nothing_is_pulled_by_force() -> None:
    for name, service in SERVICES.items():
        image = service["image"]
        assert ":" in image, name
        assert not image.endswith(":latest"), name
        assert service.get("pull_policy") != "always", name


def test_every_variable_stands_in_env_example_with_the_same_default() -> None:
    documented = read_env_file(ROOT / ".env.example")
    for name, default in re.findall(r"\$\{([A-Z_]+):-((?:[^${}]|\$\{[^}]*\})*)\}", TEXT):
        # what is made of other variables is written down as empty
        assert documented.get(name) == ("" if "$" in default else default), name
    for name, default in re.findall(r":-[^}]*\$\{([A-Z_]+):-([^}]*)\}", TEXT):
        assert documented.get(name) == default, name
    for name, port in {**SERVICE_PORTS, **OTHER_PORTS}.items():
        if name != "kafka_controller":
            assert documented[f"ORDERTRAIL_{name.upper()}_PORT"] == str(port)


@pytest.mark.parametrize("name", ["CONSOLE_URL", "NOTIFICATION_URL", "IDENTITY_ISSUER"])
def test_addresses_that_people_see_are_settings(name: str) -> None:
    given = [s["environment"].get(f"ORDERTRAIL_{name}", "") for s in SERVICES.values() if "environment" in s]
    seen = [value for value in given if "127.0.0.1" in value]
    assert seen
    assert all(value.startswith(f"${{ORDERTRAIL_{name}:-http://127.0.0.1:${{") for value in seen)


def test_what_the_proxies_say_of_browsers_is_believed_by_every_service() -> None:
    for name in SERVICE_PORTS:
        assert SERVICES[name]["environment"]["FORWARDED_ALLOW_IPS"].endswith("${ORDERTRAIL_PROXIES:-127.0.0.1}"), name


@pytest.mark.parametrize("path", sorted((ROOT / "docs/operations/examples").iterdir()), ids=lambda path: path.name)
def test_the_examples_of_proxies_lead_to_every_service_and_not_to_its_figures(path: Path) -> None:
    text = path.read_text()
    # the notification service twice: for programs, and for the one click
    assert sorted(re.findall(r"127\.0\.0\.1:(\d+)", text)) == sorted(map(str, [*SERVICE_PORTS.values(), 8002]))
    for inside in OPERATIONS:
        assert inside in text


def test_env_example_holds_no_secret() -> None:
    for name, value in read_env_file(ROOT / ".env.example").items():
        assert not value or not re.search("PASSWORD|SECRET|TOKEN|KEY", name), name


def test_kafka_is_the_same_in_a_container_and_without() -> None:
    lines = (ROOT / "deploy/kafka/server.properties").read_text().splitlines()
    embedded = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    prefix = "KAFKA_"
    contained = {
        name.removeprefix(prefix).lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    places = {"listeners", "advertised.listeners", "listener.security.protocol.map", "log.dirs"}
    for name, value in embedded.items():
        if name not in places and "$" not in value:
            assert contained.get(name) == value, name


def test_kafka_and_its_jars_have_the_same_version() -> None:
    version = SERVICES["kafka"]["image"].split(":")[1]
    assert f"org.apache.kafka:kafka_2.13:{version} " in (ROOT / "deploy/embedded/jars.lock").read_text()


def test_the_image_is_built_with_the_locked_uv_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    found = re.search(r"astral-sh/uv:(\S+)", dockerfile)
    assert found
    assert re.search(rf"^uv=={re.escape(found[1])} ", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert dockerfile.rindex("USER 10000") < dockerfile.rindex("CMD")
    assert "# syntax=" not in dockerfile


def test_nothing_that_is_ignored_reaches_the_builder() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (\w+) ", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert set(copied) | {"requirements-image.lock"} == set(kept)
    assert (
        subprocess.run(
            ["git", "check-ignore", ".env", "services.env", ".run"], cwd=ROOT, capture_output=True
        ).returncode
        == 0
    )
