"""Why a value does not go into a column: a rule, and never the value."""


class NotConvertible(Exception):
    """No value of the column can be made of it; `rule` is fit for the tenant's eyes."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule
