"""The errors of this project: few, named, each message with the cause, the thing and the mend."""

from __future__ import annotations


class BnplFeaturesError(Exception):
    """Every error that this project raises on purpose."""

    exit_code = 1


class SettingsError(BnplFeaturesError):
    """A setting is missing or malformed."""

    exit_code = 2


class InputError(BnplFeaturesError):
    """Purchases, a file or an argument are not what the contract says."""

    exit_code = 2


class WarehouseUnavailable(BnplFeaturesError):
    """The warehouse cannot be reached, or did not answer in time; running again is safe."""

    exit_code = 3


class RelationMissing(BnplFeaturesError):
    """A table, view or column that is needed does not exist."""

    exit_code = 2


class QueryFailed(BnplFeaturesError):
    """The warehouse refused or aborted a statement."""

    exit_code = 3


class StoreUnavailable(BnplFeaturesError):
    """The online store cannot be reached, refuses the login, is read-only, or is not a Redis."""

    exit_code = 4


class StoreFull(BnplFeaturesError):
    """The online store has no room for a version."""

    exit_code = 4


class StoreMisconfigured(BnplFeaturesError):
    """A setting of the online store would make a version larger, or lose it."""

    exit_code = 4


class PublicationRefused(BnplFeaturesError):
    """A publication may not go on; the active version is what it was."""

    exit_code = 5


class VerificationFailed(PublicationRefused):
    """What was staged is not what the warehouse holds."""


class VersionMissing(BnplFeaturesError):
    """A version named by an operator does not exist, or not in a state that allows the act."""

    exit_code = 2


class LayoutMismatch(BnplFeaturesError):
    """A record or manifest is not readable with the layout at hand."""

    exit_code = 5


class DeclarationsChanged(BnplFeaturesError):
    """A feature or set means something else than the lock file records under its name."""

    exit_code = 5


class TrainingRefused(BnplFeaturesError):
    """A model cannot be trained honestly on what the warehouse holds."""

    exit_code = 5


class ModelInputError(BnplFeaturesError):
    """A purchase cannot be scored as it was given; `column` is the field at fault."""

    exit_code = 2

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


class ModelLayoutMismatch(LayoutMismatch):
    """The served layout lacks what a model was trained on."""


class ModelMissing(BnplFeaturesError):
    """A model, version or alias does not exist in the registry, or its files cannot be read."""

    exit_code = 2


class RegistryUnavailable(BnplFeaturesError):
    """The model registry cannot be reached."""

    exit_code = 6


class PromotionRefused(BnplFeaturesError):
    """A challenger did not pass the gate; the champion is what it was."""

    exit_code = 5


class ExperimentRefused(BnplFeaturesError):
    """An experiment cannot be started, changed or read as it was asked for."""

    exit_code = 2


class MetricsNotTold(BnplFeaturesError):
    """What a job has to tell reached neither textfile nor Pushgateway; its work is done all the same."""

    exit_code = 1


class DocumentMoved(BnplFeaturesError):
    """Somebody else changed a shared document first."""

    exit_code = 5


class AlertUndelivered(BnplFeaturesError):
    """A target did not take an alert; it is offered again."""

    exit_code = 7


class StreamUnavailable(BnplFeaturesError):
    """The broker of purchase events cannot be reached, or lacks the stream."""

    exit_code = 4


class StreamFull(BnplFeaturesError):
    """So many events are waiting that the producer has to wait as well."""

    exit_code = 4


class ServiceUnavailable(BnplFeaturesError):
    """The prediction service does not answer."""

    exit_code = 8
