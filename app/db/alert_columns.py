"""Reads the alert flags of distribution options and offers as `Alerts`."""

from sqlalchemy.orm import Mapped
from sqlmodel import col

from app.db.models import DistributionOption, LeadOffer
from app.domain.alert_channels import ALERT_FIELDS, Alerts
from app.domain.enums import Channel


def alerts_of(row: DistributionOption | LeadOffer) -> Alerts:
    """Return the alerts of a row. A null flag, which only imported offers have, is off."""
    return Alerts(*(bool(getattr(row, name)) for name in ALERT_FIELDS.values()))


def alert_columns(table: type[DistributionOption | LeadOffer]) -> dict[Channel, Mapped[bool]]:
    """Return the column of each channel's flag."""
    return {channel: col(getattr(table, name)) for channel, name in ALERT_FIELDS.items()}
