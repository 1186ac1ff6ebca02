"""What recordings have gone through: lossy coding, telephones, cheap resampling, noise floors."""
