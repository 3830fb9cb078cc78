"""Airflow's own database: made, migrated, and kept free of nudges acted on. Needs Airflow's environment set."""

from airflow.models.asset import AssetDagRunQueue
from airflow.utils import db
from airflow.utils.session import create_session
from psycopg import sql
from sqlalchemy import delete

from send_returns import warehouse
from send_returns.orchestration.environment import passwords
from send_returns.settings import Settings, load
from send_returns.warehouse.embedded import AIRFLOW


def migrate_metadata(settings: Settings) -> None:
    """Bring Airflow's database, made if need be, to this version's tables; quick when there is nothing to do."""
    with warehouse.connect(settings, autocommit=True, purpose="send-returns airflow database") as connection:
        if connection.execute("select 1 from pg_database where datname = %s", [AIRFLOW]).fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(AIRFLOW)))
    db.upgradedb()


def forget_nudges() -> None:
    """Drop the queued asset events: the driver has run the DAGs that they would start."""
    with create_session() as session:
        session.execute(delete(AssetDagRunQueue))


if __name__ == "__main__":
    warehouse.migrate(load())
    migrate_metadata(load())
    passwords(load())
