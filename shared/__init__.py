"""Mechanism that every service uses. No business noun lives here."""
