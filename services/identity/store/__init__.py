"""The tables of identity: reads and writes by transaction; nothing here commits or decides."""

from shared.postgres import Queries

q = Queries.load("services.identity")
