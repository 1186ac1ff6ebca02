"""Synthesis of training audio: tones, drums, speech-like sounds and rooms, as float32 numpy arrays."""
