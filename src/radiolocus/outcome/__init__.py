"""Endpoints, performance and risk groups."""
