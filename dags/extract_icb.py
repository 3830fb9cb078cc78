"""# Land the NHS Integrated Care Board's deliveries

**What.** Takes every new delivery under `INBOX/icb` (Community Services Data Set extracts) through its contract into
`raw_icb`. Rows that cannot be keyed or typed go to `landing.quarantine` with their reasons; rows in = rows loaded +
rows quarantined, always.

**When.** Every hour from 07:15 to 19:15 on weekdays, London time, or whenever somebody triggers it.

**Inputs.** `inbox`: the folder, or the URL of the SFTP server or S3 bucket, to look in. `as_of` or `period`: the date
by which the arrival register judges what is due. `partnership`: whose register.

A delivery is read once it is complete: with `<delivery>.done` beside it or a manifest in it, or when nothing of it has
changed between two looks. What still arrives is taken the next hour.

**How to re-run.** Clear the task or trigger the DAG again. A delivery is known by the hash of its content, so the
same bytes never land twice, nor the same data in another order. A corrected submission is a new delivery and supersedes
the old one for its period.

**Who is affected.** Nobody downstream until `build_partnership` passes its gate: the live marts and returns do not
change here.

**When it fails.** A refused delivery is not a failure: it is in `landing.delivery` with status `refused` and the
reason to send to the ICB; one that is older than what is known of its period is `held` until somebody runs
`send-returns land --accept-held`. The task fails when the inbox cannot be read or the database is away; it is tried
again twice, then read its log, which names the file, the table and the row but never a value.
"""

from airflow.sdk import DAG, CronTriggerTimetable, task

from send_returns.orchestration.wiring import DEFAULTS, ICB, LONDON, params, request, stage

with DAG(
    dag_id="extract_icb",
    dag_display_name="2 Land ICB deliveries",
    description="NHS files through their contracts into the raw tables",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("15 7-19 * * 1-5", timezone=LONDON),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=DEFAULTS,
    params=params("as_of", "period", "partnership", "inbox"),
    tags=["extract", "icb"],
):

    @task(outlets=[ICB], task_display_name="Land ICB feeds")
    @stage
    def land_icb() -> dict[str, int | str]:
        from send_returns import stages

        asked = request()
        return stages.land(asked.settings, "icb", asked.inbox, asked.as_of)

    land_icb()
