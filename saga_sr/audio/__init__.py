"""Waveforms: rates, spectra, levels, edges, degradation and low-band replacement."""
