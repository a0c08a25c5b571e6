"""Organisations, people and rights: who may do what, and what the others hear of it."""

from __future__ import annotations

from typing import Any

import pytest

from services.identity.actions import views
from services.identity.passwords import Passwords
from services.identity.schemas import plain_email
from tests.integration.identity.conftest import PASSWORD, Desk, Namer, Who
from tests.integration.identity.test_sign_in import organisation, refresh
from tests.waiting import until


async def make(who: Who, email: str, **more: Any) -> dict[str, Any]:
    body = {"email": email, "name": "Pat Person", "roles": ["seller"], **more}
    status, made, _ = await who.call("POST", "/v1/members", body)
    assert status == 201, made
    return dict(made)


def editable(person: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = ("name", "roles", "language", "time_zone", "active", "purchasing_limit")
    return {name: person[name] for name in fields} | changes


async def test_an_invited_person_sets_a_password_and_is_signed_in(
    desk: Desk, seller_admin: Who, fresh_email: Namer
) -> None:
    email = fresh_email()
    made = await make(seller_admin, email)
    token = made["invitation"]["token"]
    assert (await desk.call("POST", "/v1/sign-in", {"email": email, "password": PASSWORD}))[0] == 401
    assert (await desk.call("POST", "/v1/password", {"token": token, "password": "short"}))[0] == 422
    status, tokens, _ = await desk.call("POST", "/v1/password", {"token": token, "password": PASSWORD})
    assert status == 200
    assert (await desk.as_bearer(email, tokens)).me["name"] == "Pat Person"
    status, document, _ = await desk.call("POST", "/v1/password", {"token": token, "password": PASSWORD + "2"})
    assert (status, document["code"]) == (400, "invalid_grant"), "an invitation works once"
    await desk.sign_in(email)


async def test_the_others_hear_of_a_person_once_per_change(desk: Desk, seller_admin: Who, fresh_email: Namer) -> None:
    made = await make(seller_admin, fresh_email(), language="nb")
    path = f"/v1/members/{made['person_id']}"
    await seller_admin.call("PUT", path, editable(made, name="Another Name"))
    first, second = await desk.events(made["person_id"])
    assert (first["version"], second["version"]) == (1, 2)
    assert first["member"]["language"] == "nb"
    assert second["member"]["name"] == "Another Name"
    assert second["organisation"]["slug"] == "alpha-seller"
    assert second["marketplace"]["settings"]["ship_within_days"] == "3"
    assert "password" not in str(first)


async def test_a_repeated_request_makes_one_person_and_gives_the_same_invitation(
    desk: Desk, seller_admin: Who, fresh_email: Namer
) -> None:
    email = fresh_email()
    body = {"email": email, "name": "Pat", "roles": ["seller"]}
    first = await seller_admin.call("POST", "/v1/members", body, Idempotency_Key=f"k-{email}")
    again = await seller_admin.call("POST", "/v1/members", body, Idempotency_Key=f"k-{email}")
    assert first[0] == again[0] == 201
    assert first[1] == again[1]
    assert again[2]["idempotency-replayed"] == "true"
    async with desk.run.worker_db.transaction() as tx:
        kept = await tx.fetchval("SELECT response FROM idempotency WHERE key = $1", f"k-{email}")
    assert first[1]["invitation"]["token"].encode() not in kept, "the kept answer is sealed"


async def test_an_address_names_one_person_in_the_whole_installation(desk: Desk, seller_admin: Who) -> None:
    for email in ("seller@beta.example", "SELLER@alpha.example"):
        status, document, _ = await seller_admin.call(
            "POST", "/v1/members", {"email": email, "name": "Pat", "roles": ["seller"]}
        )
        assert (status, document["code"]) == (409, "email_taken")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "no address"}, {"email": "a@b"}, {"email": "a b@c.example"}, {"name": ""}, {"name": "a\nb"},
        {"roles": []}, {"roles": ["king"]}, {"roles": ["approver"]}, {"language": "english"},
        {"time_zone": "Mars/Base"}, {"password": "short"}, {"password": "x" * 300}, {"unknown": 1},
        {"purchasing_limit": {"amount": "-1.00", "currency": "EUR"}},
        {"purchasing_limit": {"amount": "1.001", "currency": "EUR"}},
        {"purchasing_limit": {"amount": "1.00", "currency": "USD"}},
        {"purchasing_limit": {"amount": "1.00", "currency": "XXQ"}},
    ],
    ids=str,
)  # fmt: skip
async def test_wrong_people_are_refused(seller_admin: Who, fresh_email: Namer, wrong: dict[str, Any]) -> None:
    body = {"email": fresh_email(), "name": "Pat", "roles": ["seller"], **wrong}
    status, document, _ = await seller_admin.call("POST", "/v1/members", body)
    assert status == 422, document
    assert document["errors"][0]["field"].startswith(next(iter(wrong)))


async def test_only_those_who_look_after_an_organisation_change_its_people(
    desk: Desk, operator: Who, buyer: Who, seller_admin: Who, fresh_email: Namer
) -> None:
    mine = {"email": fresh_email(), "name": "Pat", "roles": ["seller"]}
    status, document, _ = await buyer.call("POST", "/v1/members", {**mine, "roles": ["buyer"]})
    assert (status, document["code"]) == (403, "not_allowed")
    foreign = await organisation(operator, "alpha-buyer")
    status, document, _ = await seller_admin.call(
        "POST", "/v1/members", {**mine, "roles": ["buyer"], "organisation_id": foreign}
    )
    assert (status, document["code"]) == (404, "not_found")
    status, document, _ = await seller_admin.call("POST", "/v1/members", {**mine, "roles": ["operator"]})
    assert status == 422
    assert (await operator.call("POST", "/v1/members", {**mine, "roles": ["buyer"], "organisation_id": foreign}))[
        0
    ] == 201


async def test_nobody_changes_their_own_rights(seller_admin: Who, operator: Who) -> None:
    for who, roles in ((seller_admin, ["admin", "seller"]), (operator, ["operator"])):
        path = f"/v1/members/{who.person_id}"
        body = editable(who.me["person"], roles=roles)
        status, document, _ = await who.call("PUT", path, body)
        assert (status, document["code"]) == (403, "not_allowed")
        renamed = editable(who.me["person"], name=who.me["name"] + "!")
        status, person, _ = await who.call("PUT", path, renamed)
        assert status == 200
        await who.call("PUT", path, editable(person, name=who.me["name"]))


async def test_the_last_admin_stays(operator: Who, seller_admin: Who) -> None:
    path = f"/v1/members/{seller_admin.person_id}"
    for change in ({"active": False}, {"roles": ["seller"]}):
        status, document, _ = await operator.call("PUT", path, editable(seller_admin.me["person"], **change))
        assert (status, document["code"]) == (403, "not_allowed")
        assert "last active admin" in document["detail"]


async def test_whoever_is_deactivated_is_out(desk: Desk, seller_admin: Who, fresh_email: Namer) -> None:
    email = fresh_email()
    made = await make(seller_admin, email, password=PASSWORD)
    who = await desk.sign_in(email)
    status, _, _ = await seller_admin.call("PUT", f"/v1/members/{made['person_id']}", editable(made, active=False))
    assert status == 200
    assert (await refresh(desk, who.tokens["refresh_token"]))[0] == 400
    assert (await desk.call("POST", "/v1/sign-in", {"email": email, "password": PASSWORD}))[0] == 401
    assert (await desk.events(made["person_id"]))[-1]["member"]["active"] is False


async def test_an_edit_based_on_an_older_version_is_refused_with_the_newer(
    seller_admin: Who, fresh_email: Namer
) -> None:
    made = await make(seller_admin, fresh_email())
    path = f"/v1/members/{made['person_id']}"
    _, _, headers = await seller_admin.call("GET", path)
    assert headers["etag"] == '"1"'
    assert (await seller_admin.call("PUT", path, editable(made, name="One"), If_Match='"1"'))[0] == 200
    status, document, _ = await seller_admin.call("PUT", path, editable(made, name="Two"), If_Match='"1"')
    assert (status, document["current"]["name"], document["etag"]) == (412, "One", '"2"')


async def test_people_are_seen_by_their_organisation_and_by_operators(
    desk: Desk, operator: Who, buyer: Who, seller_admin: Who
) -> None:
    for who, sees in ((operator, 200), (seller_admin, 200), (buyer, 404)):
        assert (await who.call("GET", f"/v1/members/{seller_admin.person_id}"))[0] == sees
    stranger = await desk.sign_in("operator@beta.example")
    absent = await stranger.call("GET", "/v1/members/0190b5a0-0000-7000-8000-000000000000")
    foreign = await stranger.call("GET", f"/v1/members/{seller_admin.person_id}")
    assert foreign[:2] == absent[:2]
    assert foreign[0] == 404
    _, listed, _ = await buyer.call("GET", "/v1/members")
    assert {p["email"] for p in listed["items"]} <= {"buyer@alpha.example", "buyer-admin@alpha.example"} | {
        p["email"] for p in listed["items"] if p["email"].startswith("person-")
    }
    assert (await buyer.call("GET", f"/v1/members?organisation_id={seller_admin.organisation_id}"))[0] == 404


async def test_lists_come_in_pages_in_order(operator: Who) -> None:
    names: list[tuple[str, str]] = []
    cursor = ""
    while cursor is not None:
        _, page, _ = await operator.call("GET", f"/v1/members?limit=2{'&cursor=' + cursor if cursor else ''}")
        names += [(p["name"], p["person_id"]) for p in page["items"]]
        cursor = page["next_cursor"]
    assert len(names) == len(set(names)) >= 5
    assert {n for n, _ in names} >= {"Ada Admin", "Bea Buyer", "Olga Operator", "Sam Seller"}


async def test_a_changed_marketplace_is_told_for_everybody(desk: Desk, operator: Who, buyer: Who) -> None:
    path = f"/v1/marketplaces/{operator.marketplace_id}"
    _, now, headers = await operator.call("GET", path)
    body = {name: now[name] for name in ("name", "time_zone", "lifecycle", "settings")}
    body["settings"] = body["settings"] | {"ship_within_days": "5", "allow_auto_accept": "true"}
    before = len(await desk.events(buyer.person_id))
    status, changed, _ = await operator.call("PUT", path, body, If_Match=headers["etag"])
    assert (status, changed["settings"]["ship_within_days"]) == (200, "5")

    async def told() -> bool:
        events = await desk.events(buyer.person_id)
        return len(events) > before and events[-1]["marketplace"]["settings"]["ship_within_days"] == "5"

    await until(told)
    versions = [e["version"] for e in await desk.events(buyer.person_id)]
    assert versions == sorted(set(versions))
    await until(lambda: _told_all(desk, operator))
    assert not [e for e in await _people_events(desk, "beta") if e["marketplace"]["settings"].get("allow_auto_accept")]
    body["settings"] = {"ship_within_days": "3"}
    await operator.call("PUT", path, body)


async def _told_all(desk: Desk, operator: Who) -> bool:
    _, listed, _ = await operator.call("GET", "/v1/members?limit=200")
    latest = [(await desk.events(p["person_id"]))[-1] for p in listed["items"]]
    return all(e["marketplace"]["settings"].get("allow_auto_accept") for e in latest)


async def _people_events(desk: Desk, slug: str) -> list[dict[str, Any]]:
    who = await desk.sign_in(f"operator@{slug}.example")
    _, listed, _ = await who.call("GET", "/v1/members?limit=200")
    return [e for p in listed["items"] for e in await desk.events(p["person_id"])]


@pytest.mark.parametrize(
    "settings",
    [{"ship_within_days": "0"}, {"ship_within_days": "soon"}, {"allow_auto_accept": "maybe"}, {"commission_rate": "12"},
     {"Bad Name": "1"}, {"x": 1}, {"x": "y" * 3_000}],
    ids=str,
)  # fmt: skip
async def test_wrong_settings_are_refused(operator: Who, settings: dict[str, Any]) -> None:
    body = {"name": "Alpha", "time_zone": "UTC", "lifecycle": "storefront", "settings": settings}
    status, document, _ = await operator.call("PUT", f"/v1/marketplaces/{operator.marketplace_id}", body)
    assert status == 422, document


async def test_a_made_up_invitation_is_refused_before_anything_is_hashed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dear(*_: Any) -> str:
        raise AssertionError("hashed for nobody")

    monkeypatch.setattr(Passwords, "hash", dear)
    status, document, _ = await desk.call("POST", "/v1/password", {"token": "oti_x", "password": PASSWORD})
    assert (status, document["code"]) == (400, "invalid_grant")


async def test_what_sellers_are_charged_is_not_told_to_buyers(
    desk: Desk, operator: Who, seller_admin: Who, buyer: Who
) -> None:
    path = f"/v1/marketplaces/{operator.marketplace_id}"
    _, before, _ = await operator.call("GET", path)
    body = {**{name: before[name] for name in ("name", "time_zone", "lifecycle")},
            "settings": {**before["settings"], "commission_rate": "0.15"}}  # fmt: skip
    assert (await operator.call("PUT", path, body))[0] == 200
    for who, told in ((operator, True), (seller_admin, True), (buyer, False)):
        _, one, _ = await who.call("GET", path)
        _, listed, _ = await who.call("GET", "/v1/marketplaces")
        _, me, _ = await who.call("GET", "/v1/me")
        for shown in (one, listed["items"][0], me["marketplace"]):
            assert ("commission_rate" in shown["settings"]) is told, who.email
            assert shown["settings"]["ship_within_days"] == "3"
    assert (await operator.call("PUT", path, {**body, "settings": before["settings"]}))[0] == 200


async def test_only_operators_change_marketplaces_and_make_organisations(desk: Desk, seller_admin: Who) -> None:
    body = {"name": "A", "time_zone": "UTC", "lifecycle": "storefront", "settings": {}}
    assert (await seller_admin.call("PUT", f"/v1/marketplaces/{seller_admin.marketplace_id}", body))[0] == 403
    stranger = await desk.sign_in("operator@beta.example")
    assert (await stranger.call("PUT", f"/v1/marketplaces/{seller_admin.marketplace_id}", body))[0] == 404
    assert (await stranger.call("GET", f"/v1/marketplaces/{seller_admin.marketplace_id}"))[0] == 404
    assert (await seller_admin.call("POST", "/v1/organisations", {"slug": "x", "name": "X", "kind": "seller"}))[
        0
    ] == 403


async def test_an_organisation_is_made_edited_and_told(
    desk: Desk, operator: Who, seller_admin: Who, fresh_email: Namer
) -> None:
    slug = plain_email(fresh_email()).partition("@")[0]
    body = {"slug": slug, "name": "New Ltd", "kind": "seller", "external_ids": ["0088:7300010000001"]}
    status, made, headers = await operator.call("POST", "/v1/organisations", body)
    assert status == 201
    assert headers["location"] == f"/v1/organisations/{made['organisation_id']}"
    status, document, _ = await operator.call("POST", "/v1/organisations", body)
    assert (status, document["code"]) == (409, "slug_taken")
    person = await make(operator, fresh_email(), organisation_id=made["organisation_id"], roles=["admin"])
    edit = {"name": "Newer Ltd", "time_zone": "Asia/Tokyo", "commission_rate": "0.125"}
    path = f"/v1/organisations/{made['organisation_id']}"
    assert (await operator.call("PUT", path, edit, If_Match='"1"'))[0] == 200

    async def told() -> bool:
        last = (await desk.events(person["person_id"]))[-1]["organisation"]
        return (last["name"], last.get("commission_rate")) == ("Newer Ltd", "0.125")

    await until(told)
    assert (await seller_admin.call("GET", path))[0] == 404
    assert (await seller_admin.call("PUT", path, edit))[0] == 404


async def test_an_admin_does_not_set_the_commission(seller_admin: Who) -> None:
    path = f"/v1/organisations/{seller_admin.organisation_id}"
    status, document, _ = await seller_admin.call("PUT", path, {"name": "Sellers", "commission_rate": "0.01"})
    assert (status, document["code"]) == (403, "not_allowed")
    assert (await seller_admin.call("PUT", path, {"name": "Sellers"}))[0] == 200


async def test_oneself(desk: Desk, seller_admin: Who, fresh_email: Namer) -> None:
    email = fresh_email()
    await make(seller_admin, email, password=PASSWORD)
    who = await desk.sign_in(email)
    status, me, _ = await who.call(
        "PUT", "/v1/me", {"name": "Neu Name", "language": "de", "time_zone": "Europe/Berlin"}
    )
    assert (status, me["name"], me["language"], me["roles"]) == (200, "Neu Name", "de", ["seller"])
    wrong = {"current_password": "wrong", "new_password": PASSWORD + "!"}
    assert (await who.call("POST", "/v1/me/password", wrong))[0] == 401
    assert (await who.call("POST", "/v1/me/password", {**wrong, "current_password": PASSWORD}))[0] == 204
    assert (await refresh(desk, who.tokens["refresh_token"]))[0] == 400, "every session ended"
    assert (await desk.call("POST", "/v1/sign-in", {"email": email, "password": PASSWORD}))[0] == 401
    await desk.sign_in(email, PASSWORD + "!")


async def test_views_are_saved_under_a_name_and_are_ones_own(
    desk: Desk, seller_admin: Who, buyer: Who, operator: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = {"name": "Late ones", "filters": {"overdue": "true", "q": "ada@example.org"}}
    status, saved, _ = await buyer.call("POST", "/v1/me/views", view)
    assert (status, saved["name"], saved["filters"]) == (201, view["name"], view["filters"])
    again = await buyer.call("POST", "/v1/me/views", {"name": " Late ones", "filters": {"phase": "pending"}})
    assert (again[0], again[1]["view_id"]) == (201, saved["view_id"]), "one of this name: it has these filters now"
    assert (await buyer.call("POST", "/v1/me/views", {**view, "name": "A first"}))[0] == 201
    listed = (await buyer.call("GET", "/v1/me/views"))[1]["items"]
    assert [(v["name"], v["filters"].get("phase")) for v in listed] == [("A first", None), ("Late ones", "pending")]
    one = f"/v1/me/views/{saved['view_id']}"
    for other in (seller_admin, operator):
        assert (await other.call("GET", "/v1/me/views"))[1]["items"] == []
        assert (await other.call("DELETE", one))[0] == 404
    for wrong in (
        {"name": "", "filters": {"q": "x"}}, {"name": "x" * 61, "filters": {"q": "x"}}, {"name": "N", "filters": {}},
        {"name": "N", "filters": {"q": "a\u0000b"}}, {"name": "N", "filters": {"q q": "x"}}, {"name": "N"},
        {"name": "N", "filters": {"q": "x" * 1001}}, {"name": "N", "filters": {"q": 5}},
    ):  # fmt: skip
        assert (await buyer.call("POST", "/v1/me/views", wrong))[0] in (400, 422), wrong
    stand_in = {"reason": "Somebody asked"}
    _, given, _ = await operator.call("POST", f"/v1/members/{buyer.person_id}/log-in-as", stand_in)
    acting = await desk.as_bearer(buyer.email, given)
    assert len((await acting.call("GET", "/v1/me/views"))[1]["items"]) == 2
    assert (await acting.call("POST", "/v1/me/views", view))[0] == 403
    assert (await acting.call("DELETE", one))[0] == 403
    monkeypatch.setattr(views, "MOST_VIEWS", 3)
    assert (await buyer.call("POST", "/v1/me/views", {**view, "name": "The last"}))[0] == 201
    full = await buyer.call("POST", "/v1/me/views", {**view, "name": "One more"})
    assert (full[0], full[1]["code"]) == (409, "too_many_views")
    assert (await buyer.call("POST", "/v1/me/views", view))[0] == 201, "one that is there can still be changed"
    assert [(await buyer.call("DELETE", one))[0] for _ in range(2)] == [204, 404]


async def test_erasing_leaves_an_id_that_leads_to_nobody(desk: Desk, seller_admin: Who, fresh_email: Namer) -> None:
    email = fresh_email()
    made = await make(seller_admin, email, password=PASSWORD, name="Somebody Real")
    who = await desk.sign_in(email)
    path = f"/v1/members/{made['person_id']}"
    view = {"name": "Mine", "filters": {"q": email}}
    assert (await who.call("POST", "/v1/me/views", view))[0] == 201
    assert (await seller_admin.call("POST", f"/v1/members/{seller_admin.person_id}/erase"))[0] == 403
    status, _, _ = await seller_admin.call("POST", f"{path}/erase")
    assert status == 200
    assert (await seller_admin.call("GET", path))[0] == 404
    assert (await who.call("GET", "/v1/me"))[0] == 401
    assert (await refresh(desk, who.tokens["refresh_token"]))[0] == 400
    last = (await desk.events(made["person_id"]))[-1]["member"]
    assert last["active"] is False
    assert last["name"] == "Erased person"
    async with desk.run.worker_db.transaction() as tx:
        for table in ("person", "credential", "invitation", "session", "audit", "saved_view"):
            for row in await tx.fetch(f"SELECT t::text AS text FROM {table} AS t"):
                assert email not in row["text"], table
                assert "Somebody Real" not in row["text"], table
    await make(seller_admin, email)
