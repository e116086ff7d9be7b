"""The honest protocol and what it fits."""
