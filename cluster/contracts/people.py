"""What is asked of people, and what it answers: pure models, and a typed reference for each activity."""

from cluster.approval import Proof, Vote
from cluster.contracts.reference import Activity
from cluster.gate import Asked
from cluster.hooks import HookCall, HookFinding, HooksCheck
from cluster.notices import NoticeWish
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.signers import Signer


class VerifyWish(Value):
    """Votes to be checked now; none asks only who is on the list.

    `asked` is what they are checked for. Nothing is decided by it here: it is for the record of the run.
    """

    votes: tuple[Vote, ...] = ()
    asked: Asked | None = None


class VerifyFinding(Finding):
    """A proof for each vote, the names on the list, and the keys that may sign now.

    `rules` is the version of the rules of a gate that the worker has.
    """

    proofs: tuple[Proof, ...] = ()
    listed: tuple[str, ...] = ()
    signers: tuple[Signer, ...] = ()
    rules: str = ""


verify = Activity("people.verify", VerifyWish, VerifyFinding, formerly="approvals.verify")
check_hooks = Activity("people.check_hooks", HooksCheck, Finding, formerly="hooks.check")
call_hook = Activity("people.call_hook", HookCall, HookFinding, formerly="hooks.call")
tell = Activity("people.tell", NoticeWish, Finding, formerly="notices.send")
