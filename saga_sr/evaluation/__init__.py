"""Evaluation: metrics, baselines, comparison and reports."""
