"""Latent codecs: waveform <-> latent."""
