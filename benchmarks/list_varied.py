"""A marketplace as unlike the seeded one as may be: customers' names nearly all differ, and there are 300 channels.

Orders are seeded as ever; a trigger of the benchmark's own gives each another name, every second one another channel.
"""

from __future__ import annotations

from typing import Final

from benchmarks.list_filters import Known

TRIGGER: Final = """
CREATE FUNCTION orders.varied() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parts text[] := '{ba,ce,di,fo,gu,ha,je,ki,lo,mu,na,pe,ri,so,tu,va,we,xi,yo,zu}';
    n bigint := hashtextextended(NEW.id::text, 0) & 9223372036854775807;
    folded text := parts[1 + n % 20] || parts[1 + n / 20 % 20] || ' ' || parts[1 + n / 400 % 20]
        || parts[1 + n / 8000 % 20] || parts[1 + n / 160000 % 20];
BEGIN
    NEW.search := replace(NEW.search, ' ' || NEW.customer_name_lc, ' ' || folded);
    NEW.customer_name_lc := folded;
    IF n / 3200000 % 2 = 0 THEN
        NEW.channel := 'channel' || n / 6400000 % 300;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER varied BEFORE INSERT ON orders.orders FOR EACH ROW EXECUTE FUNCTION orders.varied();
"""


def filters(known: Known) -> dict[str, dict[str, str]]:
    """Query parameters by a name for each, beside those of the seeded marketplace."""
    first, _, last = known.order["customer_name_lc"].partition(" ")
    mail, channel = known.order["customer_email_lc"], "channel7"
    words = {
        "first name": first,
        "last name": last,
        "beginning of a name": last[:3],
        "whole name": f"{first} {last}",
        "two letters": last[:2],
        "one letter": last[:1],
        "name and a letter": f"{first} {last} {mail[:1]}",
        "end of a name and a letter": f"{last[-2:]} {mail[:2]}",
        "letter and a name": f"{first[-1:]} {last}",
        "end of a name and an e-mail": f"{last[-2:]} {mail}",
        "end of no name and an e-mail": f"x {mail}",
    }
    first_name = {"q": first}
    return {
        **{f"q {name} (varied)": {"q": text} for name, text in words.items()},
        "q first name + status (varied)": {**first_name, "status": "canceled"},
        "q first name + overdue (varied)": {**first_name, "overdue": "true"},
        "q first name + phase (varied)": {**first_name, "phase": "pending"},
        "q first name + channel (varied)": {**first_name, "channel": channel},
        "q last name + status (varied)": {"q": last, "status": "canceled"},
        "one of 300 channels": {"channel": channel},
        "one of 300 channels + money": {"channel": channel, "money": "paid"},
        "one of 300 channels + status": {"channel": channel, "status": "canceled,refunded"},
    }
