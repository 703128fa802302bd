"""Our binds to carriers."""
