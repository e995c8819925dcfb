"""Items of the table `lab`, all under pk T#<tenant>.

sk                                        kind
DATASET#<id>                              DatasetItem
SERIES#<dataset>                          SeriesItem      the points, apart: lists stay small
EXPERIMENT#<id>                           ExperimentItem
RUN#<id>                                  RunItem
RUNOF#<experiment>#<started>#<run>        RunRow          runs of an experiment in order of time
RUNAT#<started>#<run>                     RunRow          runs of the tenant in order of time
LOG#<experiment>#<started>#<run>#<n>      LogItem
MODEL#<id>                                ModelItem
STATE#<model>                             StateItem       what predictions are made from
PREDICTION#<id>                           PredictionItem  expires
"""

from __future__ import annotations

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table

TABLE = "lab"


class LabTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = TABLE


class DatasetItem(LabTable):
    """A dataset without its points. Days are ISO dates."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    source = UnicodeAttribute()
    unit = UnicodeAttribute(null=True)
    point_count = NumberAttribute()
    first = UnicodeAttribute()
    last = UnicodeAttribute()
    content_hash = UnicodeAttribute()
    cost = JSONAttribute(null=True)
    experiments = NumberAttribute(default=0)


class SeriesItem(LabTable):
    """The packed points of a dataset."""

    data = BinaryAttribute(legacy_encoding=False)


class ExperimentItem(LabTable):
    """An experiment. `deleting` hides it while its runs and models are taken away."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute()
    dataset_id = UnicodeAttribute()
    used_datasets = JSONAttribute()
    run_count = NumberAttribute(default=0)
    models = NumberAttribute(default=0)
    best_run_id = UnicodeAttribute(null=True)
    best_mase = NumberAttribute(null=True)
    production_model_id = UnicodeAttribute(null=True)
    deleting = BooleanAttribute(default=False)
    created_by = UnicodeAttribute()


class RunItem(LabTable):
    """One training."""

    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    experiment_id = UnicodeAttribute()
    dataset_id = UnicodeAttribute()
    model_type = UnicodeAttribute()
    params = JSONAttribute()
    horizon = NumberAttribute()
    folds = NumberAttribute()
    status = UnicodeAttribute()
    created_by = UnicodeAttribute()
    started_at = UTCDateTimeAttribute()
    deadline_at = UTCDateTimeAttribute()
    completed_at = UTCDateTimeAttribute(null=True)
    metrics = JSONAttribute(null=True)
    baseline_metrics = JSONAttribute(null=True)
    beats_baseline = BooleanAttribute(null=True)
    model_id = UnicodeAttribute(null=True)
    error = UnicodeAttribute(null=True)


class RunRow(LabTable):
    """A place of a run in a list."""

    run_id = UnicodeAttribute()


class LogItem(LabTable):
    """A line of a log."""

    timestamp = UTCDateTimeAttribute()
    run_id = UnicodeAttribute()
    level = UnicodeAttribute()
    message = UnicodeAttribute()


class ModelItem(LabTable):
    """A trained model without its state."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    run_id = UnicodeAttribute()
    experiment_id = UnicodeAttribute()
    dataset_id = UnicodeAttribute()
    model_type = UnicodeAttribute()
    version = NumberAttribute()
    stage = UnicodeAttribute()
    metrics = JSONAttribute()
    gate = JSONAttribute()
    trained_until = UnicodeAttribute()
    content_hash = UnicodeAttribute()
    promoted_at = UTCDateTimeAttribute(null=True)
    promoted_by = UnicodeAttribute(null=True)
    approval_id = UnicodeAttribute(null=True)


class StateItem(LabTable):
    """A model's state as JSON."""

    state = JSONAttribute()


class PredictionItem(LabTable):
    """A stored prediction; days as rows of [date, mean, l80, u80, l95, u95]."""

    id = UnicodeAttribute()
    model_id = UnicodeAttribute()
    dataset_id = UnicodeAttribute()
    days = JSONAttribute()
    expires = NumberAttribute()
