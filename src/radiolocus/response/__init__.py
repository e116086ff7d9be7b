"""Response criteria, one file each."""
