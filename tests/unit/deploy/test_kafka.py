"""Small parts of running Kafka that need no Kafka."""

from __future__ import annotations

import base64

from deploy.embedded.kafka import new_cluster_id


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    made = [new_cluster_id() for _ in range(2_000)]  # one in 64 would start with a dash
    assert not [one for one in made if one.startswith("-")]
    assert {len(base64.urlsafe_b64decode(one + "==")) for one in made} == {16}
