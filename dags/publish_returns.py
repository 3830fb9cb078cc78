"""# Draft, sign and publish the returns of a run that passed the gate

**What.** Puts every figure through disclosure control, renders each declared return and puts it forward as a draft.
Asks one named signer of the council and one of the ICB to approve what was drafted, each by its hash. With both
approvals it seals the packs and writes them into the output folder.

**When.** After `build_partnership` has made a run live, or whenever somebody triggers it.

**Inputs.** `run_id`: the run to publish; empty means the one that is live. `output`: the folder to write into.
`partnership`. `is_rehearsal`: true makes a rehearsal, whose every page says so and which only rehearsal users sign.

**How to re-run.** Trigger it again. The same run gives the same drafts; what one partner signed stays signed, what is
published stays published, and a pack is complete or absent, never half there.

**Who is affected.** The signers, who find the task under *Required actions*; while they think, no worker waits. Then
inspectors and named staff who receive the packs. Some hold named children's records: keep the output folder to those
who may see them.

**When it fails.** *Skipped at `draft`*: no run of the partnership has passed its gate yet. *Not publishable*: the run
named is not the one that is live; see `audit.run`. *Nobody is registered to sign*: `send-returns signer add`. *Refused
at `sign_…`*: the database does not believe the signature; the line says why. *Skipped after `sign_…`*: a signer
rejected it; the reason is in `release.attempt`, mend it and trigger again. *Cannot write*: the folder is missing or
full; make room and trigger again, nothing partial was left.
"""

from airflow.sdk import DAG, task

from send_returns.orchestration.signing import Sign
from send_returns.orchestration.wiring import DEFAULTS, MARTS, RETURNS, params, request, stage

with DAG(
    dag_id="publish_returns",
    dag_display_name="4 Publish returns",
    description="Drafts for both partners to sign; signed packs, sealed, in the output folder",
    doc_md=__doc__,
    schedule=[MARTS],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=DEFAULTS,
    params=params("run_id", "partnership", "output", "is_rehearsal"),
    tags=["publish"],
):

    @task(task_display_name="Draft")
    @stage
    def draft() -> dict[str, int | str]:
        from send_returns import stages

        asked = request()
        run = asked.run_id or stages.live_run(asked.settings)
        drafted = stages.draft(asked.settings, run, is_rehearsal=asked.is_rehearsal)
        return {name: value for name, value in drafted.items() if name == "run_id" or name.endswith(".state")}

    @task(outlets=[RETURNS], task_display_name="Publish")
    @stage
    def publish(drafted: dict[str, int | str]) -> dict[str, int | str]:
        from send_returns import stages

        asked = request()
        published = stages.publish(asked.settings, str(drafted["run_id"]), asked.output)
        return {name: value for name, value in published.items() if not name.endswith(".pack")}

    drafted = draft()
    signatures = [
        Sign(
            task_id=f"sign_{organisation}",
            task_display_name=f"Sign for the {name}",
            organisation=organisation,
            drafted="draft",
        )
        for organisation, name in (("council", "council"), ("icb", "ICB"))
    ]
    drafted >> signatures >> publish(drafted)
