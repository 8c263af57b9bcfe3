"""manage.py fault: make the shop fail in one way, or stop that."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from shop import faults

SHARES = ("errors", "payments")
USE = """fault errors 0.5   this share of page requests answers 500
fault payments 0.5 this share of payments is declined
fault slow 3       every page waits this many seconds first
fault disk 500     a file of this many MiB is written to /data
fault off          all of this ends, the file is removed
fault              show what is in force"""


class Command(BaseCommand):
    help = USE
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", nargs="?", default="show", choices=[*SHARES, "slow", "disk", "off", "show"])
        parser.add_argument("amount", nargs="?", type=float, default=0)

    def handle(self, *, kind: str, amount: float, **_: object) -> None:
        """Change the switch file; the workers read it with their next request."""
        limit = 1 if kind in SHARES else 60 if kind == "slow" else None
        if amount < 0 or (limit and amount > limit):
            raise CommandError(f"{kind}: 0 to {limit or 'what fits the disk'}. Use:\n{USE}")
        if kind in ("off", "disk"):
            self._fill_disk(int(amount))
        if kind == "off":
            faults.write({})
        elif kind in (*SHARES, "slow"):
            faults.write(faults.read() | {kind: amount})
        size = settings.DISK_FILL_FILE.stat().st_size // faults.MIB if settings.DISK_FILL_FILE.exists() else 0
        active = {name: value for name, value in faults.read().items() if value} | ({"disk": size} if size else {})
        self.stdout.write(", ".join(f"{name} {value:g}" for name, value in active.items()) or "no fault in force")

    def _fill_disk(self, mebibytes: int) -> None:
        try:
            faults.fill_disk(settings.DISK_FILL_FILE, mebibytes)
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
