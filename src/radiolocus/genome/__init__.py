"""Genotype in, genotype summaries out."""
