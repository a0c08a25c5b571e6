"""The service's rows. Everything here gets an open transaction and never commits."""

from typing import Final

from shared.postgres import Queries

q: Final = Queries.load("services.notification")
