"""The whole house, or one command of it."""
