"""Reads one mail: its recipients, its options, and the text that its sender typed."""
