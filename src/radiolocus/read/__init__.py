"""One file per format: files in, values of the model or polars frames out."""
