"""Routes of contract 2.12."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Response
from tidegate_kit.http import Call, CurrentCall, PageParams, Paging, PathId, Router
from tidegate_kit.ids import id_from, new_id

from tidegate.lab import answers, prediction_schemas, schemas
from tidegate.lab.errors import (
    DatasetInUse,
    GateNotPassed,
    PolicyDenied,
    PromotedMeanwhile,
    RunFinished,
    SeriesTooShort,
)
from tidegate.lab.service.datasets import anomalies_of
from tidegate.lab.service.runs import RunRequest, chosen_ids, compare
from tidegate.lab.wiring import Services, promotions_of, services_of

router = Router("lab")
Page = Annotated[PageParams, Depends()]
_DATASET_BODY = 5 * 1024 * 1024  # GEN-12
# Bodies without a required field may be left out.
_PROMOTE, _PREDICT = schemas.Promote(), prediction_schemas.Predict()
_SVG: dict[int, Any] = {200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}}


def of_caller(call: Call) -> Services:
    """The services of the caller's tenant."""
    return services_of(call.principal.tenant, lambda: call.now)


def _new_id(call: Call) -> str:
    """An id; the same for every repetition under one Idempotency-Key."""
    return id_from(call.effect_key) if call.effect_key else new_id()


# ---- datasets --------------------------------------------------------------------------------


@router.get("/lab/datasets", permission="lab:read")
def list_datasets(params: Page, call: CurrentCall) -> schemas.DatasetList:
    """Datasets, newest first."""
    rows, fields = Paging(call, params, {}).slice(of_caller(call).datasets.all())
    return schemas.DatasetList(datasets=[answers.dataset(row) for row in rows], **fields)


@router.post(
    "/lab/datasets",
    permission="lab:write",
    status=201,
    idempotent=True,
    max_body=_DATASET_BODY,
    errors=[SeriesTooShort],
)
def create_dataset(body: schemas.DatasetCreate, call: CurrentCall) -> schemas.DatasetModel:
    """Keep uploaded points, or the costs of a filter as they are now."""
    datasets, made = of_caller(call).datasets, _new_id(call)
    if body.cost is not None:
        return answers.dataset(
            datasets.of_costs(made, body.name, answers.cost(body.cost), call.now)
        )
    points = answers.points(body.points or [])
    return answers.dataset(datasets.upload(made, body.name, body.unit, points, call.now))


@router.get("/lab/datasets/{dataset_id}", permission="lab:read")
def get_dataset(dataset_id: PathId, call: CurrentCall) -> schemas.DatasetModel:
    """A dataset."""
    return answers.dataset(of_caller(call).datasets.get(dataset_id))


@router.delete("/lab/datasets/{dataset_id}", permission="lab:write", errors=[DatasetInUse])
def delete_dataset(dataset_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Delete a dataset that no experiment uses."""
    of_caller(call).datasets.delete(dataset_id)
    return schemas.Deleted(id=dataset_id)


@router.get(
    "/lab/datasets/{dataset_id}/chart.svg",
    permission="lab:read",
    response_class=Response,
    responses=_SVG,
)
def dataset_chart(dataset_id: PathId, call: CurrentCall) -> Response:
    """The series with its anomalies marked."""
    return Response(of_caller(call).pictures.dataset(dataset_id), media_type="image/svg+xml")


# ---- experiments -----------------------------------------------------------------------------


@router.get("/lab/experiments", permission="lab:read")
def list_experiments(params: Page, call: CurrentCall) -> schemas.ExperimentList:
    """Experiments, newest first."""
    rows, fields = Paging(call, params, {}).slice(of_caller(call).experiments.all())
    return schemas.ExperimentList(experiments=[answers.experiment(row) for row in rows], **fields)


@router.post("/lab/experiments", permission="lab:write", status=201, idempotent=True)
def create_experiment(body: schemas.ExperimentCreate, call: CurrentCall) -> schemas.ExperimentModel:
    """A new experiment on a dataset."""
    made = of_caller(call).experiments.create(
        _new_id(call), body.name, body.description, body.dataset_id, call.principal.user_id
    )
    return answers.experiment(made)


@router.get("/lab/experiments/{experiment_id}", permission="lab:read")
def get_experiment(experiment_id: PathId, call: CurrentCall) -> schemas.ExperimentModel:
    """An experiment."""
    return answers.experiment(of_caller(call).experiments.get(experiment_id))


@router.delete("/lab/experiments/{experiment_id}", permission="lab:write")
def delete_experiment(experiment_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Delete an experiment with its runs, logs and models."""
    of_caller(call).experiments.delete(experiment_id)
    return schemas.Deleted(id=experiment_id)


@router.get("/lab/experiments/{experiment_id}/logs", permission="lab:read")
def list_experiment_logs(experiment_id: PathId, params: Page, call: CurrentCall) -> schemas.LogList:
    """What the experiment's runs said, newest first."""
    lines = of_caller(call).runs.log(experiment_id)
    paging = Paging(call, params, {"experiment_id": experiment_id})
    rows, fields = paging.slice(lines, key=lambda line: f"{line.run_id} {line.message}")
    return schemas.LogList(logs=[answers.log(row) for row in rows], **fields)


# ---- runs ------------------------------------------------------------------------------------


@router.get("/lab/experiments/{experiment_id}/runs", permission="lab:read")
def list_runs(experiment_id: PathId, params: Page, call: CurrentCall) -> schemas.RunList:
    """Runs of an experiment, newest first."""
    runs = of_caller(call).runs
    paging = Paging(call, params, {"experiment_id": experiment_id})
    ids, fields = paging.slice(runs.ids_of(experiment_id), key=str)
    return schemas.RunList(runs=[answers.run(run) for run in runs.get_many(ids)], **fields)


@router.post(
    "/lab/experiments/{experiment_id}/runs",
    permission="lab:write",
    status=202,
    idempotent=True,
    errors=[SeriesTooShort],
)
def start_run(
    experiment_id: PathId, body: schemas.RunCreate, call: CurrentCall
) -> schemas.RunModel:
    """Train a model and judge it by a rolling-origin backtest, in Step Functions."""
    request = RunRequest(body.model_type, body.params, body.horizon, body.folds)
    started = of_caller(call).runs.start(
        _new_id(call), experiment_id, request, call.principal.user_id
    )
    return answers.run(started)


@router.get("/lab/runs/{run_id}", permission="lab:read")
def get_run(run_id: PathId, call: CurrentCall) -> schemas.RunModel:
    """A run."""
    return answers.run(of_caller(call).runs.get(run_id))


@router.post("/lab/runs/{run_id}/cancel", permission="lab:write", errors=[RunFinished])
def cancel_run(run_id: PathId, call: CurrentCall) -> schemas.RunModel:
    """Stop a run that is not over."""
    return answers.run(of_caller(call).runs.cancel(run_id))


@router.get(
    "/lab/runs/{run_id}/chart.svg",
    permission="lab:read",
    response_class=Response,
    responses=_SVG,
)
def run_chart(run_id: PathId, call: CurrentCall) -> Response:
    """The end of the series and the run's forecast with 80 % and 95 % intervals."""
    return Response(of_caller(call).pictures.run(run_id), media_type="image/svg+xml")


@router.get("/lab/compare", permission="lab:read")
def compare_runs(
    run_ids: Annotated[str, Query(min_length=1, max_length=500)], call: CurrentCall
) -> schemas.ComparisonModel:
    """2 to 10 runs side by side; `run_ids` is separated by commas."""
    runs = of_caller(call).runs.get_many(chosen_ids(run_ids))
    return answers.comparison(runs, compare(runs))


# ---- models ----------------------------------------------------------------------------------


@router.get("/lab/models", permission="lab:read")
def list_lab_models(params: Page, call: CurrentCall) -> schemas.ModelList:
    """Trained models, newest first."""
    rows, fields = Paging(call, params, {}).slice(of_caller(call).models.all())
    return schemas.ModelList(models=[answers.model(row) for row in rows], **fields)


@router.get("/lab/models/{model_id}", permission="lab:read")
def get_lab_model(model_id: PathId, call: CurrentCall) -> schemas.ModelModel:
    """A trained model."""
    return answers.model(of_caller(call).models.get(model_id))


@router.post(
    "/lab/models/{model_id}/promote",
    permission="lab:promote",
    errors=[GateNotPassed, PolicyDenied, PromotedMeanwhile],
)
def promote_model(
    model_id: PathId, call: CurrentCall, body: schemas.Promote = _PROMOTE
) -> schemas.ModelModel:
    """Put a model in production; the experiment's former one is archived (LAB-1)."""
    service = promotions_of(call.principal, lambda: call.now)
    return answers.model(service.promote(model_id, body.reason or "", call.principal.user_id))


@router.post(
    "/lab/models/{model_id}/predictions", permission="ai:predict", status=201, idempotent=True
)
def create_prediction(
    model_id: PathId, call: CurrentCall, body: prediction_schemas.Predict = _PREDICT
) -> prediction_schemas.PredictionModel:
    """Forecast the days after the model's data."""
    predictions = of_caller(call).predictions
    return answers.prediction(predictions.predict(_new_id(call), model_id, body.horizon, call.now))


@router.get("/lab/predictions/{prediction_id}", permission="lab:read")
def get_prediction(prediction_id: PathId, call: CurrentCall) -> prediction_schemas.PredictionModel:
    """A prediction of the last 90 days."""
    return answers.prediction(of_caller(call).predictions.get(prediction_id, call.now))


@router.post("/lab/anomalies", permission="lab:write", errors=[SeriesTooShort])
def find_anomalies(
    body: prediction_schemas.AnomalyRequest, call: CurrentCall
) -> prediction_schemas.AnomaliesModel:
    """Days of a dataset, or of points sent along, that are far from what was expected."""
    if body.points is not None:
        points = answers.points(body.points)
    else:
        points = of_caller(call).datasets.points(str(body.dataset_id))
    threshold = float(body.threshold)
    found = anomalies_of(points, threshold, body.season)
    return answers.anomalies(found, threshold, len(points))
