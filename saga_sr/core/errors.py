"""The errors a user can meet: each message names the thing, the reason and the mend in one sentence."""

from __future__ import annotations


class SagaError(Exception):
    """Base of every error that the command lines answer with one sentence instead of a traceback."""


class UsageError(SagaError):
    """A command line cannot be understood."""


class AudioError(SagaError):
    """An audio file or signal cannot be used."""


class DiskError(AudioError):
    """The disk that results go to is full, read-only or gone, so that no other result can be written either."""


class DataError(SagaError):
    """A data set cannot be used."""


class ConfigError(SagaError):
    """A configuration value is wrong or does not fit another."""


class TrainingError(SagaError):
    """Training cannot go on."""


class PackageError(SagaError):
    """A model package or checkpoint cannot be read."""


class WeightsError(SagaError):
    """Weights from elsewhere (a codec, a text encoder, a model to start from) cannot be used."""


class ExtraError(SagaError):
    """A package is not installed, most often one that only part of the users need."""


class Cancelled(SagaError):
    """The caller has asked to stop."""
