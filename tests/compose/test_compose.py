"""docker-compose.yml: what the Compose specification allows, what our policy demands, and commands that really run."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from send_returns import warehouse
from send_returns.orchestration import environment, lifeline, supervise
from send_returns.orchestration.server_secrets import write_secrets
from send_returns.settings import PROJECT, Settings, load
from send_returns.warehouse import embedded
from send_returns.warehouse.embedded import AIRFLOW, CONFIGURATION

FILE = PROJECT / "docker-compose.yml"
AIRFLOWS = ["initialise", *supervise.COMPONENTS]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file, with its anchors resolved and its variables at their defaults."""
    return dict(yaml.safe_load(re.sub(r"\$\{\w+:-(\w+)\}", r"\1", FILE.read_text())))


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    """The Compose specification's own schema, as a published package carries it."""
    text = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return Draft202012Validator(json.loads(text.read_text()))


def test_it_is_valid_compose(compose: dict[str, Any], specification: Draft202012Validator) -> None:
    assert [error.message for error in specification.iter_errors(compose)] == []


def test_the_schema_would_notice_a_mistake(compose: dict[str, Any], specification: Draft202012Validator) -> None:
    wrong = compose | {"services": compose["services"] | {"postgres": {"image": "x", "helthcheck": {}}}}
    assert list(specification.iter_errors(wrong))


def test_the_services_are_postgres_and_airflows_components(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert sorted(services) == sorted(["postgres", *AIRFLOWS])
    assert services["postgres"]["image"].startswith("postgres:18")
    assert len({services[name]["image"] for name in AIRFLOWS}) == 1
    assert services["initialise"]["command"] == supervise.INITIALISE
    for name, command in supervise.COMPONENTS.items():
        assert services[name]["command"] == command


def test_airflow_is_configured_as_on_one_machine(compose: dict[str, Any], tmp_path: Path) -> None:
    configured = compose["services"]["scheduler"]["environment"]
    assert environment.COMMON.items() <= configured.items()
    local = environment.airflow_environment(Settings(home=tmp_path, database_url="postgresql://h/d"), 8080)
    from_files = {"SEND_RETURNS_DATABASE_URL_FILE": "SEND_RETURNS_DATABASE_URL"}
    same = {from_files.get(name, name.removesuffix("_CMD")) for name in configured}
    assert same - {"SEND_RETURNS_INBOX", "SEND_RETURNS_OUTPUT"} == set(local)


def test_postgres_logs_no_text_that_can_carry_data(compose: dict[str, Any]) -> None:
    given = set(compose["services"]["postgres"]["command"])
    for name, value in CONFIGURATION.items():
        if name.startswith("log_") or name == "client_connection_check_interval":
            assert f"{name}={value}" in given


@pytest.mark.slow
def test_what_runs_is_no_superusers(compose: dict[str, Any], tmp_path: Path) -> None:
    service = compose["services"]["postgres"]
    [mounted] = service["configs"]
    assert mounted["target"] == "/docker-entrypoint-initdb.d/owner.sql"
    assert service["environment"]["POSTGRES_USER"] != "send_returns"
    (tmp_path / "owner.sql").write_text(compose["configs"][mounted["source"]]["content"].replace("$$", "$"))
    (tmp_path / "password").write_text("of the owner")
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir(mode=0o700)
    warehouse.ensure_server(settings)
    try:
        port = str(embedded.port(settings))
        host = {"PGHOST": "127.0.0.1", "PGPORT": port, "PATH": os.environ["PATH"]}
        admin = host | {"PGUSER": embedded.ADMIN, "PGPASSWORD": embedded.secret(settings, "postgres_admin")}
        owner = host | {"PGUSER": "send_returns", "PGPASSWORD": "of the owner", "PGDATABASE": "send_returns"}

        def psql(environment: dict[str, str], *arguments: str) -> str:
            command = [
                str(warehouse.psql_path()),
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
                "-v",
                "ON_ERROR_STOP=1",
            ]
            return subprocess.run(
                [*command, *arguments], env=environment, check=True, capture_output=True, text=True
            ).stdout.strip()

        # The embedded server has both already.
        gone = ["drop database send_returns with (force)", "drop database airflow", "drop role send_returns"]
        psql(admin | {"PGDATABASE": "postgres"}, *(part for one in gone for part in ("-c", one)))
        given = {"PGDATABASE": "postgres", "OWNER_PASSWORD_FILE": str(tmp_path / "password")}
        psql(admin | given, "-f", str(tmp_path / "owner.sql"))
        query = "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        assert psql(owner, "-c", query) == "f|t|t"
        assert psql(owner, "-c", "select has_database_privilege('public', 'send_returns', 'temporary')") == "f"
    finally:
        warehouse.stop_server(settings, remove=True)


def test_no_secret_and_no_default_password_is_in_it(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if re.search(r"PASSWORD|SECRET|KEY|CONN|_URL_FILE", name) and "USERS" not in name:
                assert name.endswith(("_CMD", "_FILE")), name
                assert re.fullmatch(r"(cat )?(/run/secrets/\w+|/var/lib/send-returns/secrets/[\w.]+)", value), name
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert "secrets/" in ignored
    assert "inbox/" in ignored


def test_every_secret_is_declared_and_can_be_generated(compose: dict[str, Any], tmp_path: Path) -> None:
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == set(compose["secrets"]) == set(write_secrets(tmp_path))


@pytest.mark.parametrize("name", ["postgres", *AIRFLOWS])
def test_a_service_has_few_rights_and_restarts(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["restart"] == ("on-failure:3" if name == "initialise" else "unless-stopped")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_ports_are_open_for_the_interface_only(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["api-server"]


def test_each_waits_for_what_it_needs_and_says_how_it_is(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] in ("service_healthy", "service_completed_successfully")
            assert wanted["condition"] != "service_healthy" or "healthcheck" in services[other]
        assert name == "initialise" or service["healthcheck"]["test"][0] == "CMD"
    for name in supervise.COMPONENTS:
        assert services[name]["depends_on"]["initialise"] == {"condition": "service_completed_successfully"}
        assert services[name]["healthcheck"]["test"][-1] == name


def test_state_is_in_named_volumes(compose: dict[str, Any]) -> None:
    mounted = {
        mount.split(":")[0] if isinstance(mount, str) else mount["source"]
        for service in compose["services"].values()
        for mount in service["volumes"]
    }
    assert mounted - {"./inbox"} == set(compose["volumes"])
    assert all(mount["read_only"] for mount in compose["services"]["scheduler"]["volumes"] if isinstance(mount, dict))


def test_the_image_is_built_from_the_lock_and_runs_without_root() -> None:
    text = (PROJECT / "Dockerfile").read_text()
    assert text.count("FROM python:3.11-slim") == 2
    assert all("--locked" in line for line in text.splitlines() if "uv sync" in line)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (PROJECT / name).exists(), name
        assert f"!{name}" in (PROJECT / ".dockerignore").read_text().splitlines()


def test_secrets_are_private_strong_and_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    names = write_secrets(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    texts = {name: (folder / name).read_text() for name in names}
    assert all(len(text) >= 43 for text in texts.values())
    assert texts["postgres_password"] in texts["warehouse_url"]
    assert write_secrets(folder) == []
    (folder / "airflow_jwt_secret").unlink()
    assert write_secrets(folder) == ["airflow_jwt_secret"]
    assert {name: (folder / name).read_text() for name in names} | {"airflow_jwt_secret": ""} == texts | {
        "airflow_jwt_secret": ""
    }


def test_the_warehouse_url_is_read_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "warehouse_url").write_text("postgresql://h/d\n")
    monkeypatch.setenv("SEND_RETURNS_HOME", str(tmp_path))
    monkeypatch.delenv("SEND_RETURNS_DATABASE_URL", raising=False)
    monkeypatch.setenv("SEND_RETURNS_DATABASE_URL_FILE", str(tmp_path / "warehouse_url"))
    assert load().database_url == "postgresql://h/d"


@pytest.fixture
def adapted(compose: dict[str, Any], database: Settings, tmp_path: Path) -> dict[str, str]:
    """The services' environment with this machine's places in it, and the database URLs of a real server."""
    folder = tmp_path / "secrets"
    write_secrets(folder)
    urls = {
        "warehouse_url": database.database_url or "",
        "airflow_database_url": warehouse.url(database, "postgresql+psycopg2", AIRFLOW),
        "airflow_database_url_async": warehouse.url(database, "postgresql+psycopg", AIRFLOW),
    }
    for name, url in urls.items():
        (folder / name).chmod(0o600)
        (folder / name).write_text(url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {
        "/run/secrets": str(folder),
        "/var/lib/send-returns": str(database.home),
        "/opt/send-returns": str(PROJECT),
        "/srv": str(tmp_path),
        "api-server:8080": f"127.0.0.1:{port}",
        "127.0.0.1:8080": f"127.0.0.1:{port}",
        "0.0.0.0": "127.0.0.1",  # noqa: S104
    }
    variables = dict(compose["services"]["scheduler"]["environment"])
    for name, value in variables.items():
        for place, here in places.items():
            variables[name] = variables[name].replace(place, here)
        if value == "8080":
            variables[name] = str(port)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return variables | {"PATH": path, "HOME": str(database.home)}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_same_commands_run_as_plain_processes(compose: dict[str, Any], adapted: dict[str, str]) -> None:
    services = compose["services"]
    subprocess.run(services["initialise"]["command"], env=adapted, cwd=PROJECT, check=True, capture_output=True)
    processes = {
        name: subprocess.Popen(
            services[name]["command"],
            env=adapted,
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for name in supervise.COMPONENTS
    }
    try:
        waiting = set(processes)
        deadline = time.monotonic() + 150
        while waiting and time.monotonic() < deadline:
            for name in sorted(waiting):
                assert processes[name].poll() is None, name
                check = subprocess.run(services[name]["healthcheck"]["test"][1:], env=adapted, cwd=PROJECT, check=False)
                if check.returncode == 0:
                    waiting.remove(name)
            time.sleep(0.5)
        assert waiting == set()
    finally:
        lifeline.end([process.pid for process in processes.values()], grace=3)
    check = subprocess.run(services["scheduler"]["healthcheck"]["test"][1:], env=adapted, cwd=PROJECT, check=False)
    assert check.returncode == 1
