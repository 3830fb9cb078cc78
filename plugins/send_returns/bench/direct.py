"""The stages one after another in one process, with no Airflow: the baseline that orchestration is measured against."""

import sys
from datetime import date
from pathlib import Path

from send_returns import settings as settings_module
from send_returns import stages, warehouse


def main(inbox: Path, as_of: date) -> None:
    """Land `inbox`, open the run, link, build, gate and publish below the home of the environment's settings."""
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
        stages.publish(settings, run_id, settings.home / "output-direct")


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))
