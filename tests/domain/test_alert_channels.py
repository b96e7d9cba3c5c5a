"""Alert channels: flags as one value, and the channels that a server can send on."""

from dataclasses import dataclass

import pytest

from app.domain.alert_channels import ALERT_FIELDS, Alerts, served, unserved
from app.domain.enums import Channel


@pytest.mark.parametrize(
    ("alerts", "channels"),
    [
        (Alerts(), []),
        (Alerts(email=True), [Channel.EMAIL]),
        (Alerts(call=True, text=True, email=True), [Channel.CALL, Channel.TEXT, Channel.EMAIL]),
    ],
)
def test_alerts_have_channels_and_fields(alerts: Alerts, channels: list[Channel]) -> None:
    assert alerts.channels == channels
    assert alerts.fields() == {name: channel in channels for channel, name in ALERT_FIELDS.items()}
    assert Alerts(*alerts.fields().values()) == alerts


@dataclass
class Settings:
    fallback: str | None = None
    smtp_url: str | None = None
    twilio_account_sid: str | None = None


@pytest.mark.parametrize(
    ("settings", "sends", "warns"),
    [
        (Settings(), set(), set()),
        (Settings(fallback="console"), set(Channel), set()),
        (Settings(smtp_url="smtp://127.0.0.1"), {Channel.EMAIL}, {Channel.CALL, Channel.TEXT}),
        (Settings(twilio_account_sid="AC"), {Channel.CALL, Channel.TEXT}, {Channel.EMAIL}),
    ],
)
def test_a_server_warns_of_missing_channels_unless_it_has_none(
    settings: Settings, sends: set[Channel], warns: set[Channel]
) -> None:
    assert served(settings) == sends
    assert unserved(settings) == warns
