"""When a search gives up: several failures one after another are no single layout's fault."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from placement_search.errors import FailureError
from placement_search.study import records
from placement_search.study.ledger import Ledger, is_failed, runs_again

MAX_FAILURES = 3
"""Trials that may fail one after another before the search stops."""


class Failures:
    """Looks for trials that failed one after another, by number, so that timing decides nothing.

    Args:
        ledger: The study's trials.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._n_looked_at = 0
        self._n_in_a_row = 0
        # What failed in an earlier search is forgiven until one more does.
        for trial in self._settled():
            self._count(trial)

    def check(self) -> None:
        """Look at the trials that have ended, as far as all before them have too.

        Raises:
            FailureError: If there are too many in a row.
        """
        for trial in self._settled():
            if self._count(trial) and self._n_in_a_row >= MAX_FAILURES:
                raise FailureError(
                    f"the last {MAX_FAILURES} trials failed, so the search stops; the last one "
                    f"said:\n{trial.user_attrs[records.REASON]}"
                )

    def _settled(self) -> Sequence[FrozenTrial]:
        """The trials that were not looked at before."""
        first, self._n_looked_at = self._n_looked_at, self._ledger.n_settled
        return self._ledger.trials[first : self._n_looked_at]

    def _count(self, trial: FrozenTrial) -> bool:
        """Take a trial into account; whether it does count."""
        # A baseline that failed before says nothing new, and comes beside others that did.
        if is_failed(trial) and runs_again(trial, self._ledger.trials):
            return False
        self._n_in_a_row = self._n_in_a_row + 1 if is_failed(trial) else 0
        return True
