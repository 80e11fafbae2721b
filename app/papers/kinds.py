"""The statutory papers: which event makes which paper, by which law, and what the petitioner may do next and until when."""

from dataclasses import dataclass

from workflows.policies import REGULATION


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of paper.

    events: each makes one paper of this kind. word: its word in the number. articles: of 信访工作条例 it stands on.
    policies: limits whose basis it also names, where they are in force. limit: the limits that give the last
    day of the next step: of those that run, the one that ends first, as at the door; empty where there is none. by_main_body: issued by the body that handles
    the case, whoever did the step; else by the body of the person who did it.
    """

    name: str
    events: tuple[str, ...]
    word: str
    articles: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()
    by_main_body: bool = False

    @property
    def laws(self) -> list[str]:
        """The articles in full, as 《信访工作条例》第三十二条."""
        return [f"《{REGULATION}》第{article}条" for article in self.articles]


KINDS = (
    Kind("acceptance", ("accept",), "受", policies=("PT-02", "PT-11", "PT-05", "PT-12"), limit=("PT-05", "PT-12")),
    Kind("non_acceptance", ("reject",), "不受", policies=("PT-02", "PT-11")),
    Kind("redirect", ("redirect",), "途", articles=("三十一",), policies=("PT-02", "PT-11")),
    # 信访工作条例 Art 34: the head of the body approves, and the petitioner is told why.
    Kind(
        "extension", ("approve_extension",), "延", articles=("三十四",), policies=("PT-12",), limit=("PT-05", "PT-12"),
        by_main_body=True,
    ),  # fmt: skip
    Kind(
        "handling_opinion", ("deliver", "follow_parent"), "处", articles=("三十二",), policies=("PT-07",), limit=("PT-07",),
        by_main_body=True,
    ),  # fmt: skip
    Kind("review_opinion", ("give_review_opinion",), "查", policies=("PT-08", "PT-09"), limit=("PT-09", "PT-21")),
    Kind("recheck_opinion", ("give_recheck_opinion",), "核", policies=("PT-10",)),
)
KIND_OF = {event: kind for kind in KINDS for event in kind.events}
NAMES = tuple(kind.name for kind in KINDS)

# Rights to ask for a review count from the day on which the petitioner receives one of these (信访工作条例 Arts 35, 36).
BEGIN_A_RIGHT = frozenset({"handling_opinion", "review_opinion"})

# How a paper reaches the petitioner; the first is recorded when the petitioner opens it.
ONLINE = "online"
BY_HAND = ("post", "in_person", "refused")
METHODS = (ONLINE, *BY_HAND)
