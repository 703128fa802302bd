"""REST version 1: the jobs and states of the service that it replaces, read as tolerantly as its clients need."""
