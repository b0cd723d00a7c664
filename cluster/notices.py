"""What people are told of an incident while it goes on."""

import json
import re
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.answers.model import Answer, Urgency
from cluster.answers.plain import listed
from cluster.around import Occasion

# How a pager sorts it. critical: guests are down or about to be. warning: a person is asked. info: to be known.
Severity = Literal["critical", "warning", "info"]
# What is told is not so any more, and a pager may close it.
OVER: tuple[Occasion, ...] = ("closed",)


class Notice(BaseModel):
    """One message. `key` is the same whenever it is sent again, so that a receiver can tell a repetition.

    All notices of one run belong together: `incident` is what a pager opens, updates and resolves. `resolved` is said
    only when it is over. `escalated`: nobody has answered so far, and those who are there for that are told too.
    `urgency`, `tasks` and `guests` are the run's answer to "what do I do now?" at that moment.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    occasion: Occasion
    cluster: str
    incident: str  # the id of its run
    title: str
    text: str
    at: datetime
    severity: Severity = "info"
    resolved: bool = False
    escalated: bool = False
    urgency: Urgency = "watch"
    tasks: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    guests: tuple[str, ...] = ()
    run: str = ""  # the execution, and its namespace, for a link to its page
    namespace: str = "default"
    trace: str = ""  # of the run, where traces are collected

    def answered(self, answer: Answer | None) -> "Notice":
        """The same with what the run says a person has to do now."""
        if answer is None:
            return self
        return self.model_copy(
            update={
                "severity": "critical" if self.escalated else _severity(self.occasion, answer),
                "resolved": self.occasion in OVER and answer.urgency == "nothing",
                "urgency": answer.urgency,
                "tasks": tuple(f"{task}: {task.command}" if task.command else str(task) for task in answer.tasks),
                "never": answer.never,
                "guests": answer.guests,
            }
        )

    @property
    def body(self) -> str:
        """The text, then what to do, what never to do, and for whom: what a chat or a mail shows."""
        lines = [self.text] if self.text else []
        lines += [f"{number}. {task}" for number, task in enumerate(self.tasks, start=1)]
        lines += [f"Never {one}." for one in self.never]
        lines += [f"Affected: {listed(self.guests)}."] if self.guests else []
        return "\n".join(lines)


def _severity(occasion: Occasion, answer: Answer) -> Severity:
    if occasion in OVER and answer.urgency == "nothing":
        return "info"
    if answer.guests and (answer.urgency == "act now" or occasion in ("opened", "worse", "late")):
        return "critical"
    return "warning" if answer.urgency in ("act now", "decide") or occasion in ("failed", "expired") else "info"


class NoticeWish(BaseModel):
    """A notice to be sent to everybody who wants to know of its occasion."""

    model_config = ConfigDict(frozen=True)

    notice: Notice


class Told(BaseModel):
    """Who has been told so far, and who refused to be told, with the reason."""

    model_config = ConfigDict(frozen=True)

    told: tuple[str, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)

    @property
    def finding(self) -> str:
        """The line a person reads."""
        said = [f"told {', '.join(self.told)}"] if self.told else []
        said += [f"{name} refused: {why}" for name, why in self.refused.items()]
        return "; ".join(said) or "no receiver is configured"


_PLACE = re.compile(r"\{(title|text|cluster|occasion|incident|at|severity|urgency|body)\}")


def rendered(template: str, notice: Notice) -> str:
    """The template with its places filled, each escaped as inside a JSON string; other braces stay as they are."""
    values = notice.model_dump(mode="json") | {"body": notice.body}
    return _PLACE.sub(lambda place: json.dumps(values[place[1]], ensure_ascii=False)[1:-1], template)
