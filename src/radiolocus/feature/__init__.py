"""Image and mask in, numbers out: one file per family."""
