"""The task by which a person signs: Airflow's approval, asked of the signers whom the register names."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.execution_time.hitl import HITLUser

from send_returns.orchestration.wiring import guarded, ids_and_counts, request

if TYPE_CHECKING:
    from send_returns.releases.register import Organisation

# How long a draft waits for its signers before the task fails and asks again.
PATIENCE = timedelta(days=14)
# The XCom of what a signer was shown: the SHA-256 of each pack, by release id.
SHOWN = "shown"


class Sign(ApprovalOperator):
    """Asks the signers of one `organisation` to approve the releases that the task `drafted` returned.

    It shows what is signed: each release's hash, its counts, what its rules found and what changed since the last.
    While it waits it holds no worker. An answer becomes rows of `release.signature`, which the database believes only
    of a registered signer; a rejection returns the releases to draft, and nothing after it is run.
    """

    def __init__(self, *, organisation: "Organisation", drafted: str, **arguments: Any) -> None:  # noqa: ANN401 - Airflow's own
        reason = Param(
            "",
            type="string",
            maxLength=500,
            title="Reason",
            description="Why you reject: what must change. Name no child.",
            source="task",
        )
        arguments["params"] = {**(arguments.get("params") or {}), "reason": reason}
        super().__init__(
            subject=f"Sign for the {organisation}",
            body="",
            response_timeout=PATIENCE,
            **arguments | {"execution_timeout": None},
        )
        # A run gives a task the parameters of its DAG as well: they are not for the signer to fill in.
        self._form = ParamsDict({"reason": reason})
        self.organisation = organisation
        self.drafted = drafted

    def execute(self, context: Context) -> Any:  # noqa: ANN401 - Airflow's own
        """Ask, and wait without a worker. At once done when this organisation has nothing to sign."""
        from send_returns import publication

        asked = request()
        run_id = str(context["ti"].xcom_pull(task_ids=self.drafted)["run_id"])
        ask = guarded(publication.for_signature)(
            asked.settings, run_id, self.organisation, is_rehearsal=asked.is_rehearsal
        )
        if not ask.packs:
            return None
        # Whatever is put forward meanwhile, the answer is to what was shown.
        context["ti"].xcom_push(SHOWN, ids_and_counts(dict(ask.packs)))
        self.params = self._form
        self.subject, self.body = ask.subject, ask.body
        self.assigned_users = [HITLUser(id=name, name=name) for name in ask.signers]
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, object]:
        """Keep the answer in the register, then go on, or skip what follows a rejection."""
        from send_returns import publication

        self.params = self._form
        answer = super().execute_complete(context, event)
        kept = guarded(publication.sign)(
            request().settings,
            context["ti"].xcom_pull(task_ids=self.task_id, key=SHOWN),
            username=str(answer["responded_by_user"]["id"]),
            is_approved=answer["chosen_options"] == [self.APPROVE],
            reason=str(answer["params_input"].get("reason") or "").strip(),
        )
        return ids_and_counts(kept)
