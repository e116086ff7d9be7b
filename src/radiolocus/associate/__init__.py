"""Numbers × genes."""
