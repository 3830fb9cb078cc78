"""A rule as a Great Expectations expectation, over a view that counts the failing rows of every rule in one query.

Great Expectations' own query expectation asks twice per rule, and its column expectations cost ten milliseconds each;
here all expectations of a suite share one metric.
"""

from typing import Any, ClassVar

import great_expectations as gx
import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import TestConnectionError
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from send_returns.failure import Failure
from send_returns.quality.rules import Rule
from send_returns.settings import Settings
from send_returns.warehouse import url

METRIC = "table.failing_rows_by_rule"
SEVERITIES = {
    "critical": FailureSeverity.CRITICAL,
    "error": FailureSeverity.CRITICAL,
    "query": FailureSeverity.WARNING,
}


# ruff: noqa: ARG002, ANN401 - the signatures are the library's.
class FailingRowsByRule(TableMetricProvider):
    """Rule code -> (failing rows or None, rows checked), from a batch with those three columns."""

    metric_name = METRIC

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> dict[str, tuple[int | None, int]]:
        batch, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE)
        columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("rule", "failing_rows", "checked_rows")]
        counted = execution_engine.execute_query(sa.select(*columns).select_from(batch)).fetchall()
        return {rule: (failing, checked) for rule, failing, checked in counted}


class ExpectRuleToHold(BatchExpectation):
    """Succeeds where no row fails the rule. Raises, which counts as failing, where the rule could not be evaluated."""

    rule: str

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = ("rule",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        failing, checked = metrics[METRIC][self.rule]
        if failing is None:
            raise ValueError(f"Rule {self.rule} could not be evaluated.")
        return {"success": failing == 0, "result": {"observed_value": failing, "element_count": checked}}


def validate(settings: Settings, schema: str, view: str, rules: list[Rule]) -> dict[str, tuple[int, int] | None]:
    """Have Great Expectations judge every rule by the counts in a view: (failing, checked), or None where it raised.

    Sends nothing anywhere and keeps nothing; of the results only the two counts are read. Raises Failure where it
    cannot connect.
    """
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    address = f"{url(settings, 'postgresql+psycopg2')}?options=-csearch_path%3D{schema}"
    try:
        source = context.data_sources.add_postgres("warehouse", connection_string=address)
    except TestConnectionError:
        raise Failure("Great Expectations cannot reach the database: nothing was judged. Run the gate again.") from None
    batch = source.add_table_asset(view, table_name=view).add_batch_definition_whole_table("all")
    suite = gx.ExpectationSuite(
        name="release",
        expectations=[ExpectRuleToHold(rule=rule.code, severity=SEVERITIES[rule.severity]) for rule in rules],
    )
    outcome = batch.get_batch().validate(
        suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0}
    )
    verdicts: dict[str, tuple[int, int] | None] = {}
    for result in outcome.results:
        if result.expectation_config is None:
            continue
        code, counts = result.expectation_config.kwargs["rule"], result.result
        raised = "observed_value" not in counts or (result.success != (counts["observed_value"] == 0))
        verdicts[code] = None if raised else (int(counts["observed_value"]), int(counts["element_count"]))
    return verdicts
