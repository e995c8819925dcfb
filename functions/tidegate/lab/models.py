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


class DatasetItem(Table):
    """A dataset without its points. Days are ISO dates."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class SeriesItem(Table):
    """The packed points of a dataset."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    data = BinaryAttribute(legacy_encoding=False)


class ExperimentItem(Table):
    """An experiment. `deleting` hides it while its runs and models are taken away."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class RunItem(Table):
    """One training."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class RunRow(Table):
    """A place of a run in a list."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    run_id = UnicodeAttribute()


class LogItem(Table):
    """A line of a log."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    timestamp = UTCDateTimeAttribute()
    run_id = UnicodeAttribute()
    level = UnicodeAttribute()
    message = UnicodeAttribute()


class ModelItem(Table):
    """A trained model without its state."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class StateItem(Table):
    """A model's state as JSON."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    state = JSONAttribute()


class PredictionItem(Table):
    """A stored prediction; days as rows of [date, mean, l80, u80, l95, u95]."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    id = UnicodeAttribute()
    model_id = UnicodeAttribute()
    dataset_id = UnicodeAttribute()
    days = JSONAttribute()
    expires = NumberAttribute()
