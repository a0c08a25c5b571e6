"""PostgreSQL: pools, transactions with a tenant, named queries, migrations and roles."""

from shared.postgres.database import Database, Transaction
from shared.postgres.queries import Queries

__all__ = ["Database", "Queries", "Transaction"]
