"""Conversations and wire formats, without the whole house."""
