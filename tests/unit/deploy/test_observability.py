"""Dashboards and alerts ask for metrics that exist."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from shared.postgres.migrate import SCHEMAS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "observability"
DASHBOARDS = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
SUFFIXES = ("_bucket", "_count", "_sum")


def known_metrics() -> set[str]:
    import_module("shared.metrics")
    for path in (ROOT / "services").glob("*/metrics.py"):
        import_module(f"services.{path.parent.name}.metrics")
    return {
        name
        for family in REGISTRY.collect()
        for name in (family.name, f"{family.name}_total", *(family.name + suffix for suffix in SUFFIXES))
    }


@pytest.mark.parametrize("path", [*DASHBOARDS, FOLDER / "alerts.yml"], ids=lambda path: path.name)
def test_every_metric_exists(path: Path) -> None:
    asked = set(re.findall(r"\bordertrail_[a-z_]+", path.read_text()))
    assert asked
    assert asked <= known_metrics()


def test_what_has_no_relay_is_not_missed() -> None:
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
    [asked] = [rule["expr"] for rule in rules if rule["alert"] == "NoRelay"]
    without = {path.parent.name for path in (ROOT / "services").glob("*/app.py")} - set(SCHEMAS)
    assert re.findall(r'service!="(\w+)"', asked) == sorted(without)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_do_not_overlap_and_name_their_source(path: Path) -> None:
    board = json.loads(path.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "prometheus"


def test_prometheus_asks_every_service_at_its_port() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for group in config["scrape_configs"][0]["static_configs"]:
        name, port = group["targets"][0].split(":")
        assert compose["services"][name]["environment"]["ORDERTRAIL_HTTP_PORT"] == port
