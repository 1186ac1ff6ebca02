"""Networks that predict velocity or data from (z_t, t, conditioning)."""
