"""Datasets at run time: what arrives, how it is read, and where it is kept."""
