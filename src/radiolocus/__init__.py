"""Radiolocus: from images, genotypes, tumour tables and clinical tables to one report."""
