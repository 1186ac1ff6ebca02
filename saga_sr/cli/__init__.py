"""The command `saga-sr`: a module for each verb."""
