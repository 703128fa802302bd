"""Administration: the use cases under the command line, the API and the portal."""
