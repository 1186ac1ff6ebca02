"""Captions of recordings, written by an audio language model."""
