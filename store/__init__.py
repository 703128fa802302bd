"""What we remember: the only package that speaks to a database."""
