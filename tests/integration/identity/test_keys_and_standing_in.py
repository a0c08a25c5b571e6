"""API keys, logging in as somebody, and the audit that remembers both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.identity.actions.auditing import broken_links
from shared.web.tokens import Verifier
from tests.integration.identity.conftest import Desk, Who


async def make_key(who: Who, **more: Any) -> dict[str, Any]:
    body = {"name": "ERP", "roles": ["seller"], "scopes": ["orders:read"], **more}
    status, made, _ = await who.call("POST", "/v1/api-keys", body)
    assert status == 201, made
    return dict(made)


async def exchange(desk: Desk, key: dict[str, Any], secret: str | None = None) -> tuple[int, Any]:
    body = {"grant_type": "client_credentials", "client_id": key["client_id"],
            "client_secret": secret or key["client_secret"]}  # fmt: skip
    status, tokens, _ = await desk.call("POST", "/v1/token", body)
    return status, tokens


async def test_a_key_becomes_a_token_with_its_roles_and_scopes(desk: Desk, seller_admin: Who) -> None:
    key = await make_key(seller_admin)
    status, tokens = await exchange(desk, key)
    assert status == 200
    assert "refresh_token" not in tokens
    who = await Verifier(desk.here.settings.identity_issuer, desk.here.ring.published).principal(tokens["access_token"])
    assert (who.kind, str(who.api_key_id), who.person_id) == ("api_key", key["api_key_id"], None)
    assert who.roles == {"seller"}
    assert who.scopes == {"orders:read"}
    assert str(who.organisation_id) == seller_admin.organisation_id


async def test_a_secret_is_shown_once(desk: Desk, seller_admin: Who) -> None:
    key = await make_key(seller_admin)
    _, shown, _ = await seller_admin.call("GET", f"/v1/api-keys/{key['api_key_id']}")
    _, listed, _ = await seller_admin.call("GET", "/v1/api-keys?limit=200")
    assert key["api_key_id"] in {k["api_key_id"] for k in listed["items"]}
    assert "secret" not in str(shown)
    assert "secret" not in str(listed)
    async with desk.run.worker_db.transaction() as tx:
        rows = await tx.fetch("SELECT k::text AS text FROM api_key AS k")
    assert not [r for r in rows if key["client_secret"] in r["text"]]


async def test_rotation_overlaps_and_then_ends(desk: Desk, seller_admin: Who) -> None:
    key = await make_key(seller_admin)
    status, rotated, _ = await seller_admin.call("POST", f"/v1/api-keys/{key['api_key_id']}/rotate")
    assert status == 200
    assert (await exchange(desk, key))[0] == 200
    assert (await exchange(desk, rotated))[0] == 200
    async with desk.run.worker_db.transaction() as tx:
        await tx.execute("UPDATE api_key SET former_until = now() WHERE former_until IS NOT NULL")
    assert (await exchange(desk, key))[0] == 400
    assert (await exchange(desk, rotated))[0] == 200


async def test_a_revoked_expired_or_wrong_key_is_refused(desk: Desk, seller_admin: Who) -> None:
    key = await make_key(seller_admin, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await exchange(desk, key, "otk_wrong"))[0] == 400
    for _ in range(2):
        assert (await seller_admin.call("POST", f"/v1/api-keys/{key['api_key_id']}/revoke"))[0] == 200
    status, document = await exchange(desk, key)
    assert (status, document["code"]) == (400, "invalid_grant")
    assert (await seller_admin.call("POST", f"/v1/api-keys/{key['api_key_id']}/rotate"))[0] == 403
    expired = await make_key(seller_admin, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    async with desk.run.worker_db.transaction() as tx:
        await tx.execute(
            "UPDATE api_key SET expires_at = now() WHERE api_key_id = $1::text::uuid", expired["api_key_id"]
        )
    assert (await exchange(desk, expired))[0] == 400
    past = {"name": "Late", "roles": ["seller"], "scopes": ["*"], "expires_at": "2020-01-01T00:00:00Z"}
    assert (await seller_admin.call("POST", "/v1/api-keys", past))[0] == 422


async def test_a_key_makes_no_keys_and_grants_nothing_beyond_its_maker(
    desk: Desk, seller_admin: Who, buyer: Who
) -> None:
    key = await make_key(seller_admin, roles=["admin"], scopes=["*"])
    _, tokens = await exchange(desk, key)
    program = await desk.as_bearer("key", tokens)
    body = {"name": "Child", "roles": ["seller"], "scopes": ["*"]}
    assert (await program.call("POST", "/v1/api-keys", body))[0] == 403
    assert (await program.call("GET", "/v1/members"))[0] == 200
    assert (await program.call("PUT", "/v1/me", {"name": "X"}))[0] == 403
    assert (await seller_admin.call("POST", "/v1/api-keys", {**body, "roles": ["operator"]}))[0] == 422
    assert (await buyer.call("POST", "/v1/api-keys", {**body, "roles": ["buyer"]}))[0] == 403
    limited = await make_key(seller_admin, roles=["admin"], scopes=["orders:read"])
    _, tokens = await exchange(desk, limited)
    status, document, _ = await (Who(desk, "key", tokens)).call("GET", "/v1/members")
    assert (status, document["code"]) == (403, "scope_missing")


async def test_foreign_keys_are_absent(desk: Desk, seller_admin: Who, buyer: Who) -> None:
    key = await make_key(seller_admin)
    stranger = await desk.sign_in("operator@beta.example")
    for who in (buyer, stranger):
        assert (await who.call("GET", f"/v1/api-keys/{key['api_key_id']}"))[0] == 404
        assert (await who.call("POST", f"/v1/api-keys/{key['api_key_id']}/revoke"))[0] == 404
    seller = await desk.sign_in("seller@alpha.example")
    for path in ("/v1/api-keys", f"/v1/api-keys/{key['api_key_id']}"):
        assert (await seller.call("GET", path))[0] == 403, "a colleague who makes none"
        assert (await seller_admin.call("GET", path))[0] == 200


async def stand_in(who: Who, person_id: str, reason: str = "checking ticket 7") -> tuple[int, Any]:
    status, tokens, _ = await who.call("POST", f"/v1/members/{person_id}/log-in-as", {"reason": reason})
    return status, tokens


async def test_logging_in_as_somebody_shows_both_and_is_seen_by_the_person(
    desk: Desk, operator: Who, buyer: Who
) -> None:
    status, tokens = await stand_in(operator, buyer.person_id)
    assert status == 201
    assert "refresh_token" not in tokens
    acting = await desk.as_bearer("acting", tokens)
    assert acting.me["person"]["email"] == "buyer@alpha.example"
    assert acting.me["roles"] == ["buyer"]
    assert acting.me["logged_in_as_by"] == {
        "person_id": operator.person_id, "name": "Olga Operator", "reason": "checking ticket 7"
    }  # fmt: skip
    _, seen, _ = await buyer.call("GET", "/v1/me/log-ins")
    assert (seen["items"][0]["name"], seen["items"][0]["reason"]) == ("Olga Operator", "checking ticket 7")
    entry = (await desk.audit(buyer.marketplace_id, "logged_in_as"))[-1]
    assert (str(entry["actor_id"]), str(entry["subject_id"])) == (operator.person_id, buyer.person_id)


async def test_meanwhile_no_secret_role_or_setting_changes(
    desk: Desk, operator: Who, seller_admin: Who, buyer: Who
) -> None:
    _, tokens = await stand_in(operator, seller_admin.person_id)
    acting = await desk.as_bearer("acting", tokens)
    person = f"/v1/members/{buyer.person_id}"
    attempts: list[tuple[str, str, Any]] = [
        ("POST", "/v1/members", {"email": "x@y.example", "name": "X", "roles": ["seller"]}),
        ("PUT", f"/v1/members/{seller_admin.person_id}", {"name": "X", "roles": ["admin"]}),
        ("POST", f"/v1/members/{seller_admin.person_id}/invitation", None),
        ("POST", f"/v1/members/{seller_admin.person_id}/erase", None),
        ("POST", "/v1/api-keys", {"name": "X", "roles": ["seller"], "scopes": ["*"]}),
        ("PUT", f"/v1/organisations/{seller_admin.organisation_id}", {"name": "X"}),
        ("POST", "/v1/me/password", {"current_password": "x", "new_password": "y" * 12}),
        ("PUT", "/v1/me", {"name": "X"}),
    ]
    for method, path, body in attempts:
        status, document, _ = await acting.call(method, path, body)
        assert (status, document["code"]) == (403, "not_while_logged_in_as"), (method, path, document)
    assert (await acting.call("GET", person))[0] == 404
    status, document = await stand_in(acting, seller_admin.person_id)
    assert (status, document["code"]) == (403, "not_while_logged_in_as"), "no log-in within a log-in"


async def test_who_may_not_be_stood_in_for(desk: Desk, operator: Who, seller_admin: Who, buyer: Who) -> None:
    assert (await stand_in(operator, operator.person_id))[0] == 403
    assert (await stand_in(seller_admin, buyer.person_id))[0] == 404
    assert (await stand_in(buyer, buyer.person_id))[0] == 403
    stranger = await desk.sign_in("operator@beta.example")
    assert (await stand_in(stranger, buyer.person_id))[0] == 404
    for reason in ("", "why", "x" * 501):
        assert (await stand_in(operator, buyer.person_id, reason))[0] == 422
    seller = await desk.sign_in("seller@alpha.example")
    assert (await stand_in(seller_admin, seller.person_id))[0] == 201


async def test_the_audit_is_read_by_those_who_look_after_things(
    desk: Desk, operator: Who, seller_admin: Who, buyer: Who
) -> None:
    await make_key(seller_admin)
    _, everything, _ = await operator.call("GET", "/v1/audit?limit=200")
    _, mine, _ = await seller_admin.call("GET", "/v1/audit?limit=200")
    assert {e["organisation_id"] for e in mine["items"]} == {seller_admin.organisation_id}
    assert {"set_up", "api_key_made"} <= {e["action"] for e in everything["items"]}
    sequences = [e["sequence"] for e in everything["items"]]
    assert sequences == sorted(sequences, reverse=True)
    assert (await buyer.call("GET", "/v1/audit"))[0] == 403


async def test_the_chain_holds_and_a_changed_row_shows(desk: Desk, operator: Who, seller_admin: Who) -> None:
    await make_key(seller_admin)
    assert await broken_links(desk.run.worker_db) == {}
    admin = await asyncpg.connect(desk.database.admin_dsn)
    try:
        sql = "UPDATE identity.audit SET detail = $2 WHERE marketplace_id = $1 AND sequence = 2 RETURNING sequence"
        kept = await admin.fetchval(
            "SELECT detail FROM identity.audit WHERE marketplace_id = $1 AND sequence = 2", operator.marketplace_id
        )
        assert await admin.fetchval(sql, operator.marketplace_id, '{"roles": []}') == 2
        found = await broken_links(desk.run.worker_db)
        assert list(found.values()) == [[2]]
        await admin.execute(sql, operator.marketplace_id, kept)
    finally:
        await admin.close()
    assert await broken_links(desk.run.worker_db) == {}


async def test_no_role_of_the_service_changes_the_audit(desk: Desk) -> None:
    for sql in ("UPDATE audit SET action = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        for db in (desk.run.worker_db, desk.run.db):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await _execute(db, sql)


async def _execute(db: Any, sql: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(sql)
