"""The stages one after another in one process, with no Airflow: the baseline that orchestration is measured against."""

import sys
from datetime import date
from pathlib import Path

from send_returns import publication, stages, warehouse
from send_returns import settings as settings_module
from send_returns.orchestration import rehearsal
from send_returns.orchestration.environment import REHEARSAL_USERS


def main(inbox: Path, as_of: date) -> None:
    """Land `inbox`, open the run, link, build, gate, draft, rehearse the signatures and publish, below the
    environment's home."""
    settings = settings_module.load()
    with warehouse.running(settings):
        warehouse.migrate(settings)
        for organisation in ("reference", "council", "icb"):
            stages.land(settings, organisation, inbox, as_of)
        run_id = stages.open_run(settings, as_of)
        stages.link(settings, run_id)
        for layer in stages.LAYERS:
            stages.build(settings, run_id, layer)
        stages.gate(settings, run_id)
        stages.draft(settings, run_id, is_rehearsal=True)
        rehearsal.prepare(settings)
        for organisation, username in REHEARSAL_USERS.items():
            asked = publication.for_signature(settings, run_id, organisation, is_rehearsal=True)
            publication.sign(settings, asked.packs, username=username, is_approved=True, reason="")
        stages.publish(settings, run_id, settings.home / "output-direct")


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))
