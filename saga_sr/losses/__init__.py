"""Training objectives on latents."""
