"""What a model costs before it is trained, and what a file of weights holds."""
