"""A message centre of our own, for the demo and the tests."""
