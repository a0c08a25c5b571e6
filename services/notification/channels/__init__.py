"""The ways a notification reaches a person: e-mail and the in-app feed."""
