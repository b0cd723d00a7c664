"""When lost nodes count as back: all of them, or those that have come while the others stay away. Pure."""

from datetime import timedelta

from cluster.nouns import Value
from cluster.plan import Finding
from cluster.units import seconds, shortly

# A node needs minutes to boot, and those of one site do not take the same; after this the others are not waited for
# without a person's word.
SETTLES = timedelta(minutes=10)


class ReturnWish(Value):
    """Lost nodes, and who is asked for the members. `some`: a person is content with those that are back."""

    nodes: tuple[str, ...]
    via: tuple[str, ...]
    some: bool = False
    settles: timedelta = SETTLES

    def partly(self, missing: tuple[str, ...]) -> str:
        """What a person is told when only some have come back."""
        return (
            f"{len(self.nodes) - len(missing)} of {len(self.nodes)} nodes are members again, and "
            f"{', '.join(missing)} did not follow within {seconds(self.settles)}"
        )


class ReturnFinding(Finding):
    """Who is back and who is not."""

    back: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, wish: ReturnWish, missing: tuple[str, ...]) -> "ReturnFinding":
        """Named."""
        back = tuple(node for node in wish.nodes if node not in missing)
        if missing:
            said = f"members again: {shortly(back)}; not yet: {shortly(missing)}"
            return cls(finding=said, mark="warned", back=back, missing=missing)
        return cls(finding=f"{len(back)} nodes are members again" if len(back) > 1 else f"{back[0]} is a member again",
                   back=back)  # fmt: skip


def settled(wish: ReturnWish, back: frozenset[str], so_long: float) -> bool:
    """All are back; or some are, and nothing has changed for long enough, or a person does not wait for more."""
    if len(back) == len(wish.nodes):
        return True
    return bool(back) and (wish.some or so_long >= wish.settles.total_seconds())
