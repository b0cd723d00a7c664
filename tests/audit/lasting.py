"""A run that lasts as long as a test wants it to, takes words, and goes on as a new execution when it is told to."""

from temporalio import workflow


@workflow.defn
class Lasting:
    """`words` is what it was told so far."""

    @workflow.init
    def __init__(self, words: int = 0) -> None:
        self._next, self.words = "", words

    @workflow.run
    async def run(self, words: int = 0) -> int:
        """The number of words."""
        await workflow.wait_condition(lambda: self._next != "")
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._next == "goes on":
            workflow.continue_as_new(self.words)
        return self.words

    @workflow.update
    def say(self, word: dict[str, str]) -> str:
        """It listens."""
        self.words += 1
        return f"heard {word['text']}"

    @workflow.signal
    def then(self, what: str) -> None:
        """It ends, or goes on as a new execution."""
        self._next = what
