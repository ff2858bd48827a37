"""What holds in every sound directory, by number: which rules judge it, or why none can."""

from __future__ import annotations

from kafkalog.verify import RULES

#: Letter → what it is about, and how many invariants there are of it.
GROUPS = {
    "A": ("inside a batch of magic 2", 28),
    "B": ("messages of magic 0 and 1", 12),
    "C": ("between the batches of a segment", 12),
    "D": ("between segments, names", 17),
    "E": ("`.index` and `.log`", 13),
    "F": ("`.timeindex`, `.index` and `.log`", 13),
    "G": ("`.txnindex` and `.log`", 12),
    "H": ("`.snapshot` and `.log`", 11),
    "I": ("`leader-epoch-checkpoint` and `.log`", 8),
    "J": ("producers and transactions", 15),
    "K": ("files of the log dir", 12),
    "L": ("KRaft", 5),
}

#: Invariants that no rule judges: what they say, and why not.
UNJUDGED = {
    "A28": (
        "Batches that lost records keep their first sequence number and last offset delta.",
        "Advice for readers: all rules about sequence numbers take them from the header, never from the records.",
    ),
    "B12": (
        "Brokers of 4.0 and later write no magic 0 or 1.",
        "A directory does not say which release wrote a segment: one from before an upgrade looks the same.",
    ),
    "C9": ("With LogAppendTime, timestamps do not go back.", "A clock that was set back and a new leader's clock do that."),
    "D7": (
        "There is no `.txnindex`, or an empty one, where nothing was aborted.",
        "Either is legal. That an index is missing where something was aborted is found by txnindex-missing-entry.",
    ),
    "D13": ("Modification times of files.", "The cleaner sets them back and copies change them: they prove nothing."),
    "E10": ("Index entries lie more than index.interval.bytes apart.", "The setting does not stand in the directory."),
    "E11": ("An index has at most segment.index.bytes / 8 entries.", "The setting does not stand in the directory."),
    "E12": (
        "A closed segment much larger than index.interval.bytes has index entries.",
        "The setting does not stand in the directory, and one large append leaves none.",
    ),
    "F10": (
        "No batch up to the position of the paired index entry has a larger timestamp.",
        "Which entries of the two indexes were written together is not stored.",
    ),
    "F11": (
        "There are not more time index entries than index entries, rolls, closes and recoveries together.",
        "Nothing counts how often a log was closed or recovered.",
    ),
    "I7": ("Gaps in the numbers of leader epochs.", "Normal: a leader that wrote nothing leaves its number out."),
    "J1": (
        "A marker ends a transaction that has data.",
        "Markers without data are normal: every partition that was added to the transaction gets one, some twice.",
    ),
    "J12": ("Messages of magic 0 and 1 have no producer id.", "The format has no such field: nothing else can be written."),
    "J15": (
        "Exactly one marker ends a transaction.",
        "Follows from the replay: the first marker ends it, further ones are markers without data, which are legal.",
    ),
}


def numbers() -> list[str]:
    """All invariants."""
    return [f"{letter}{number}" for letter, (_, count) in GROUPS.items() for number in range(1, count + 1)]


def judges(number: str) -> list[str]:
    """Ids of the rules that judge an invariant."""
    return [rule.id for rule in RULES.values() if number in rule.invariants]
