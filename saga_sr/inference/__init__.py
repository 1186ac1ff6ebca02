"""Inference: files in, files out, in bounded memory."""
