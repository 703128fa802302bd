"""Whose an inbound SMS is, and what follows from it: pure."""
