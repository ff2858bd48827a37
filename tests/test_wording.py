"""Words that misled readers do not come back into what people read: rules, behaviours, help and docs."""

from __future__ import annotations

import re

import pytest

from kafkalog.cli.main import COMMANDS
from kafkalog.kafka import behaviours
from kafkalog.verify import RULES
from tests.generate_docs import help_of
from tests.test_docs import PAGES

BANNED = re.compile(
    r"\b(anew|infos|can not|the begin|made anew|cry wolf|or do not|from here on)\b|(?<![-\w`])behind(?![-\w`])", re.IGNORECASE
)
TEXTS = {
    **{f"rule {rule.id}": f"{rule.explanation}\n{rule.message}\n{rule.consequence}\n{rule.remedy}" for rule in RULES.values()},
    **{f"behaviour {row.name}": row.text for row in vars(behaviours).values() if isinstance(row, behaviours.Behaviour)},
    **{f"help of {name}": help_of(name) for name in COMMANDS},
    **{f"page {page.parent.name}/{page.name}": page.read_text(encoding="utf-8") for page in PAGES},
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_people_read_has_none_of_the_banned_words(name):
    assert [match[0] for match in BANNED.finditer(TEXTS[name])] == []
