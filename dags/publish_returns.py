"""# Publish the returns of a run that passed the gate

**What.** Writes the return workbooks, their CSV and a manifest with the SHA-256 of every file into the output folder.

**When.** After `build_partnership` has made a run live, or whenever somebody triggers it.

**Inputs.** `run_id`: the run to publish; empty means the one that is live. `output`: the folder to write into.
`partnership`.

**How to re-run.** Trigger it again. The same run gives the same bytes, and a pack is complete or absent, never half
there.

**Who is affected.** Inspectors and named staff who receive the pack. It holds named children's records: keep the
output folder to those who may see them.

**When it fails.** *Skipped*: no run of the partnership has passed its gate yet. *Not publishable*: the run named is
not the one that is live; see `audit.run`. *Cannot write*: the folder is missing or full; make room and trigger again,
nothing partial was left.
"""

from airflow.sdk import DAG, task

from send_returns.orchestration.wiring import DEFAULTS, MARTS, RETURNS, params, request, stage

with DAG(
    dag_id="publish_returns",
    dag_display_name="4 Publish returns",
    description="The workbooks, CSV and manifest of the run that passed the gate",
    doc_md=__doc__,
    schedule=[MARTS],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=DEFAULTS,
    params=params("run_id", "partnership", "output"),
    tags=["publish"],
):

    @task(outlets=[RETURNS], task_display_name="Publish")
    @stage
    def publish() -> dict[str, int | str]:
        from send_returns import stages

        asked = request()
        published = stages.publish(asked.settings, asked.run_id or stages.live_run(asked.settings), asked.output)
        return {name: value for name, value in published.items() if not name.endswith(".pack")}

    publish()
