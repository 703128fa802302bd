"""REST version 2, ours: described by OpenAPI, with problems that say their remedy, API keys, and named requests."""
