"""Training: the LightningModule around a `SuperResolver`, schedules, callbacks and `run`."""
