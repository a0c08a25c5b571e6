"""Use cases of the webhook service, one function each; they open the transactions."""
