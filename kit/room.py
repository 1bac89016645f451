"""How much one of many may store on a volume that all share, pure: its limit, or less while the
volume is nearly full."""


def allowed(limit: int, largest: int, free: int, floor: int) -> int:
    """What one may store: its limit, or less while the volume has less than its floor free.

    Just under the floor that stops the largest alone; the less is left, the smaller ones.
    """
    return limit if free >= floor else min(limit, largest * max(free, 0) // floor)
