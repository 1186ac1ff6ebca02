"""Recordings in files: containers, codecs, tags, damage, and what stands around the sound."""
