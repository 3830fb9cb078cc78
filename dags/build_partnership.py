"""# Build the partnership's record and returns, and let them through the gate

**What.** Asks the arrival register whether every feed the reporting date needs has been accepted. If so it fixes the
run's manifest of deliveries, matches their records to people, builds the staging, intermediate and returns models
into the `candidate_*` schemas, and puts them to the gate. A pass makes them live in one transaction.

**When.** After a landing (an asset event is only a nudge, the register decides) and every weekday at 20:00 London
time, in case a nudge was lost.

**Inputs.** `as_of` or `period`: the reporting date. `mode`: `incremental` builds nothing when the run is live
already, `full` builds it again. `partnership`.

**How to re-run.** Trigger it again, or clear from the task that failed. The same deliveries, date and code are the
same run, and every task may run twice with the same result.

**Who is affected.** Everyone who reads `marts` and `returns`, but only after a pass. While it builds, and after a
fail, they keep the last release whole.

**When it fails.** *Skipped at `open_run`*: a required feed has not come; the log says which, and `landing.arrival` who
owes it. *Failed at `open_run`*: there is no key for the marts' pseudonyms; `send-returns key new marts` makes one.
*Skipped at `link`*: the run is live already, there is nothing to do. *Failed at `gate`*: the
candidate broke a blocking rule; `audit.check_result` says which, on how many rows and what to do, `audit.finding`
lists every row. Mend the delivery or the model and trigger again: the gate is not retried, because the same run gives
the same verdict. *Failed elsewhere*: read the log; for a model, `audit.model_result`.
"""

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowSkipException

from send_returns.orchestration.wiring import COUNCIL, DEFAULTS, ICB, LONDON, MARTS, REFERENCE, params, request, stage

with DAG(
    dag_id="build_partnership",
    dag_display_name="3 Build and check the partnership",
    description="Link, build and gate one reporting date; a pass goes live in one transaction",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 20 * * 1-5", timezone=LONDON), assets=COUNCIL | ICB | REFERENCE
    ),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=2)},
    params=params("as_of", "period", "partnership", "mode"),
    tags=["build", "gate"],
):

    @task(task_display_name="Open the run")
    @stage
    def open_run() -> str:
        from send_returns import stages

        asked = request()
        return stages.open_run(asked.settings, asked.as_of, asked.mode)

    @task(task_display_name="Link records to people")
    @stage
    def link(run: str) -> dict[str, int | str]:
        from send_returns import stages

        asked = request()
        if asked.mode == "incremental" and stages.is_current(asked.settings, run):
            raise AirflowSkipException(f"Run {run} is live already and nothing has arrived since.")
        return stages.link(asked.settings, run)

    @task
    @stage
    def build(run: str, layer: str) -> dict[str, int | str]:
        from send_returns import stages

        return stages.build(request().settings, run, layer)

    @task(outlets=[MARTS], task_display_name="Gate")
    @stage
    def gate(run: str) -> dict[str, int | str]:
        from send_returns import stages

        return stages.gate(request().settings, run)

    opened = open_run()
    layers = [
        build.override(task_id=f"build_{layer}", task_display_name=f"Build {layer}")(opened, layer)
        for layer in ("staging", "intermediate", "returns")
    ]
    link(opened) >> layers[0] >> layers[1] >> layers[2] >> gate(opened)
