"""Benchmarks of the real thing: real database, real broker, real HTTP. `make bench`, or `python -m benchmarks NAME`."""
