"""How what we send looks: the sandboxed renderer and the template files beside it."""
