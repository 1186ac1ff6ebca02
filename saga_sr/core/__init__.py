"""Services that every room may use: errors, random numbers, hardware, files that are whole or absent."""
