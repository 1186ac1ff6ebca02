"""Flow matching on tensors of any shape: path, predictions, time sampling, solvers and guidance."""
