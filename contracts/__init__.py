"""Event contracts: what travels on the topics, for every service and for outsiders."""
