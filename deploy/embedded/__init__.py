"""Runs a real Apache Kafka and a real PostgreSQL as local processes, for machines without containers.

`python -m deploy.embedded` starts the pair; `make up` and the tests do so through the classes in this package. All
state lives in a directory the caller names; only downloaded, hash-checked parts are kept in a per-user cache.
"""
