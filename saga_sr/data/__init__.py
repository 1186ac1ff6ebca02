"""Training material: audio folders and the synthetic generator."""
