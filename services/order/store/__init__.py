"""The order service's tables. Every function gets the transaction first and never commits."""
