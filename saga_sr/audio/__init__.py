"""Waveforms: files, rates, spectra, degradation and low-band replacement."""
