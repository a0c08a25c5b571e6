"""Rows of the webhook schema. Functions get a transaction and never commit; SQL stands in queries.sql."""
