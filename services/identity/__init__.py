"""Who is who: marketplaces, organisations, people and their roles, sign-in, access tokens, API keys."""
