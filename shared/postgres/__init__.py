"""PostgreSQL: pools, transactions with a tenant, named queries, migrations and roles."""

from shared.postgres.database import Database, Statements, Transaction
from shared.postgres.queries import Queries

__all__ = ["Database", "Queries", "Statements", "Transaction"]
