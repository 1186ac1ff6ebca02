"""Weights made elsewhere: files of tensors, the layouts of others, and models started from them."""
