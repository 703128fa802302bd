"""Use cases of the portal alone: who signs in, until when, and the desk from which its pages ask and change."""
