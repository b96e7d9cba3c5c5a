"""A model of the rules of claiming, as simple as possible: one lead, one team, everything in memory.

tests/commands/test_claiming_rules.py compares the commands with this model after every step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.enums import ClaimedVia, ClaimEnd, EndReason, LeadOfferStatus, OrderMethod, RequestStatus
from app.domain.planner import Candidate, EarlierOffer, Option, PlannedOffer, RolloutSettings, plan
from app.errors import Code

S = LeadOfferStatus
OPEN = (S.SCHEDULED, S.SENT)


class Refused(Exception):
    """The command fails with this error code."""

    def __init__(self, code: Code) -> None:
        self.code = code


@dataclass
class Person:
    option: Option | None
    membership: RequestStatus | None = RequestStatus.ACCEPTED
    is_creator: bool = False
    is_active: bool = True
    away_until: datetime | None = None
    quiet: tuple[int, int] | None = None
    """First and last hour of the quiet hours, UTC."""

    def quiet_until(self, now: datetime) -> datetime | None:
        """Return the end of the quiet hours that `now` is in, or None."""
        if self.quiet is None:
            return None
        start, end = self.quiet
        hour = now
        while hour.hour != start or hour.minute:
            hour = hour.replace(minute=0, second=0, microsecond=0) if hour.minute else hour - timedelta(hours=1)
        ends_at = hour + timedelta(hours=(end - start) % 24)
        return ends_at if now < ends_at else None


@dataclass
class Offer:
    place: int
    """The position among the rows, by the time of their creation."""
    user: int
    notify_at: datetime
    rank: int | None
    by_rank: bool
    automatic: bool
    status: LeadOfferStatus = S.SCHEDULED
    reason: EndReason | None = None


@dataclass
class Claim:
    user: int
    via: ClaimedVia
    claimed_at: datetime
    ended_at: datetime | None = None
    end: ClaimEnd | None = None


@dataclass
class Rules:
    people: dict[int, Person]
    order_method: OrderMethod
    gap: int
    creator: int
    holder: int | None = None
    via: ClaimedVia | None = None
    offers: dict[int, Offer] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

    # Conditions

    def gone(self, user: int) -> EndReason | None:
        person = self.people[user]
        if not person.is_active:
            return EndReason.SWITCHED_OFF
        there = person.is_creator or person.membership is RequestStatus.ACCEPTED
        return None if there else EndReason.LEFT

    def hindered(self, user: int, now: datetime) -> EndReason | None:
        away_until = self.people[user].away_until
        return self.gone(user) or (EndReason.AWAY if away_until is not None and now < away_until else None)

    def claimable(self, offer: Offer, now: datetime) -> bool:
        is_open = offer.status in OPEN and offer.notify_at <= now
        return self.holder is None and is_open and self.gone(offer.user) is None

    def claim_would_succeed(self, user: int, now: datetime) -> bool:
        offer = self.offers.get(user)
        return offer is not None and (self.holder == user or self.claimable(offer, now))

    # Commands

    def submit(self, now: datetime) -> None:
        if self.holder is not None:
            raise Refused(Code.ALREADY_CLAIMED)
        candidates = [
            Candidate(user, p.membership, p.is_creator, p.is_active, p.away_until, p.option)
            for user, p in self.people.items()
        ]
        earlier = [EarlierOffer(o.user, o.status, o.notify_at, o.rank, is_of_team=True) for o in self.offers.values()]
        planned = plan(candidates, earlier, RolloutSettings(self.order_method, self.gap), now).offers
        if not planned and not any(offer.status in OPEN for offer in self.offers.values()):
            raise Refused(Code.NO_ELIGIBLE_MEMBERS)
        for new in planned:
            self._offer(new)
        if any(new.assign_automatically and new.notify_at <= now for new in planned):
            self.assign_automatically(now)

    def _offer(self, new: PlannedOffer) -> None:
        old = self.offers.get(new.user_id)
        place = old.place if old else len(self.offers)
        by_rank = self.order_method is OrderMethod.RANK
        self.offers[new.user_id] = Offer(place, new.user_id, new.notify_at, new.rank, by_rank, new.assign_automatically)

    def claim(self, user: int, now: datetime) -> None:
        if self.holder == user:
            return
        if self.holder is not None:
            raise Refused(Code.ALREADY_CLAIMED)
        if not self.claimable(self.offers[user], now):
            raise Refused(Code.OFFER_NOT_OPEN)
        self._take(user, ClaimedVia.APP, now)

    def _take(self, user: int, via: ClaimedVia, now: datetime) -> None:
        self.holder, self.via = user, via
        self.claims.append(Claim(user, via, now))
        for offer in self.offers.values():
            if offer.user == user:
                offer.status, offer.reason = S.CLAIMED, None
            elif offer.status in (S.SENT, S.CLAIMED):
                offer.status, offer.reason = S.EXPIRED, EndReason.CLAIMED
            elif offer.status is S.SCHEDULED:
                offer.status, offer.reason = S.CANCELLED, EndReason.CLAIMED

    def decline(self, user: int, now: datetime) -> None:
        offer = self.offers[user]
        if offer.status is S.DECLINED:
            return
        if offer.status not in OPEN:
            raise Refused(Code.OFFER_NOT_OPEN)
        offer.status = S.DECLINED
        self.move_up(now)

    def assign(self, user: int, now: datetime) -> None:
        if self.gone(user):
            raise Refused(Code.NOT_FOUND)
        if self.holder == user:
            return
        if user not in self.offers:
            self.offers[user] = Offer(len(self.offers), user, now, None, False, False)
        offer = self.offers[user]
        offer.notify_at = min(offer.notify_at, now)
        if self.holder is not None:
            self._end_claim(ClaimEnd.REASSIGNED, now)
        self._take(user, ClaimedVia.ASSIGNED, now)

    def release(self, user: int, now: datetime) -> None:
        if self.holder is None:
            raise Refused(Code.CONFLICT)
        if user not in (self.holder, self.creator):
            raise Refused(Code.FORBIDDEN)
        self.offers[self.holder].status = S.DECLINED
        self.holder = self.via = None
        self._end_claim(ClaimEnd.RELEASED, now)
        ended = [o for o in self.offers.values() if o.reason is EndReason.CLAIMED]
        back = [o for o in ended if not self.gone(o.user)]
        ahead = [o for o in back if o.status is S.CANCELLED]
        shift = now - min((o.notify_at for o in ahead), default=now)
        for offer in ended:
            if offer not in back:
                offer.status, offer.reason = S.CANCELLED, self.gone(offer.user)
            elif offer in ahead:
                offer.status, offer.reason, offer.notify_at = S.SCHEDULED, None, offer.notify_at + shift
            else:
                offer.status, offer.reason = S.SENT, None
        self.assign_automatically(now)

    def leave(self, user: int, now: datetime) -> None:
        self.people[user].membership = RequestStatus.DECLINED
        mine = [o for o in self.offers.values() if o.user == user and o.status in OPEN]
        self._withdraw(mine, EndReason.LEFT)
        if mine:
            self.move_up(now)

    def go_away(self, user: int, until: datetime, now: datetime) -> None:
        if until <= now:
            raise Refused(Code.BAD_USER_INPUT)
        self.people[user].away_until = until
        offers = [o for o in self.offers.values() if o.user == user]
        due = [o for o in offers if o.status is S.SCHEDULED and o.notify_at < until]
        self._withdraw(due, EndReason.AWAY)
        if due:
            self.move_up(now)

    # Effects of the commands

    def _end_claim(self, end: ClaimEnd, now: datetime) -> None:
        self.claims[-1].ended_at, self.claims[-1].end = now, end

    def _withdraw(self, offers: Iterable[Offer], reason: EndReason) -> None:
        for offer in offers:
            offer.status, offer.reason = S.CANCELLED, reason

    def move_up(self, now: datetime) -> bool:
        ahead = [o for o in self.offers.values() if o.by_rank and o.status is S.SCHEDULED and o.notify_at > now]
        if self.holder is not None or not ahead or any(self.claimable(o, now) for o in self.offers.values()):
            return False
        shift = min(o.notify_at for o in ahead) - now
        for offer in ahead:
            offer.notify_at -= shift
        return True

    def assign_automatically(self, now: datetime) -> None:
        """Claim the lead for the first due offer with automatic assignment, if nobody has claimed it.

        Offers before it, to users who cannot be assigned the lead, are withdrawn.
        """
        if self.holder is not None:
            return
        due = [o for o in self.offers.values() if o.automatic and o.status in OPEN and o.notify_at <= now]
        withdrew = False
        for offer in sorted(due, key=lambda o: (o.notify_at, o.rank is None, o.rank or 0, o.place)):
            if reason := self.hindered(offer.user, now):
                if offer.status is S.SCHEDULED:
                    self._withdraw([offer], reason)
                    withdrew = True
            elif self.people[offer.user].quiet_until(now) is None:
                self._take(offer.user, ClaimedVia.AUTO, now)
                return
        if withdrew and self.move_up(now):
            self.assign_automatically(now)
