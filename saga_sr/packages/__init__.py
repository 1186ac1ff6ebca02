"""Model packages: written by training and export, read by everything else."""
