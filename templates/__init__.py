"""The look of what we send: the sandboxed renderer and the template files beside it."""
