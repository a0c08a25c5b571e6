"""Ports that processes side by side are given."""

from __future__ import annotations

import pytest

from deploy.embedded import process


@pytest.mark.parametrize("of", [1, 2, 3])
def test_processes_side_by_side_never_get_the_same_port(monkeypatch: pytest.MonkeyPatch, of: int) -> None:
    monkeypatch.setattr(process, "_mine", process._PORTS)
    given: list[set[int]] = []
    for part in range(of):
        process.keep_to(part, of)
        assert len(process._mine) >= len(process._PORTS) // of
        given.append(set(process._mine))
        assert process.free_port() in given[-1]
    assert sum(len(g) for g in given) == len(set.union(*given)) == len(process._PORTS)
