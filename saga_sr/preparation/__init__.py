"""Audio, once through the codec, into shards of latents that training streams."""
