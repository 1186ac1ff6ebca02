"""What people look at: HTML pages, curves and spectrograms."""
