"""Programs written by others, at the edges."""
