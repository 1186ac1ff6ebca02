"""What recordings have gone through: lossy coding, telephones, and one of several by chance."""
