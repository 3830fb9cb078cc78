"""Airflow: the driver that runs the DAGs in one process, and the supervisor that serves them. The only room that
knows Airflow."""
