"""Inputs of mutations that write leads, contacts and lead routes."""

import strawberry

from app.domain.bounds import LARGEST_INT, LONGEST_MESSAGE, LONGEST_TEXT
from app.graphql.enums import DistributionTarget, TeamSelectionMethod
from app.graphql.inputs.fields import NOT_NULL, PATCH, optional, required

LEAD_TYPE = (
    f"for example Buyer. At most {LONGEST_TEXT} characters; types compare without regard to case and surrounding "
    "spaces."
)
ZIPCODE = "US ZIP code as ddddd or ddddd-dddd; only the first five digits are stored."
MESSAGE = (
    f"The text that the contact wrote: at most {LONGEST_MESSAGE:,} characters, line breaks included. Only the creator "
    "and the holder of the lead can read it."
)
LISTING_PRICE = f"Price of the listing that the enquiry is about, in whole units of the currency: 0 to {LARGEST_INT:,}."
AT_MOST = f"At most {LONGEST_TEXT} characters."
MLS_ID = f"Id of the listing in the MLS. {AT_MOST}"
LISTING_STATUS = f"Status of the listing, for example For Sale. {AT_MOST}"
STREET_ADDRESS = f"Street and house number of the listing. {AT_MOST}"
CITY = f"City of the listing. {AT_MOST}"
STATE = f"State of the listing, for example TX. {AT_MOST}"
LANGUAGE = f"Language of the contact, for example es. {AT_MOST}"
CLEARED = "Null clears it."
METHOD = "How the team is chosen. Required if distributionTarget is TEAM_ROLLOUT, ignored if it is MYSELF."
TEAM = "Id of a team that you created. Required if teamSelectionMethod is SPECIFIC_TEAM, otherwise not stored."
NEEDS_TARGET = "Not allowed without distributionTarget."


@strawberry.input(
    description="A new lead route. TEAM_ROLLOUT needs a teamSelectionMethod, and SPECIFIC_TEAM needs a teamId."
)
class CreateLeadRouteInput:
    lead_source_id: strawberry.ID = required("Id of a lead source that you created.")
    distribution_target: DistributionTarget = required("Target of the leads that come from the source.")
    team_selection_method: TeamSelectionMethod | None = optional(METHOD)
    team_id: strawberry.ID | None = optional(TEAM)
    lead_type: str | None = optional(
        f"Type of leads that the route serves, {LEAD_TYPE} Left out or null, the route serves every type that has no "
        "route of its own."
    )


@strawberry.input(
    description=f"Changes to a lead route. {PATCH} Null clears teamSelectionMethod, teamId and leadType; for other "
    "fields it is BAD_USER_INPUT."
)
class UpdateLeadRouteInput:
    lead_source_id: strawberry.ID | None = optional(f"Id of a lead source that you created. {NOT_NULL}")
    distribution_target: DistributionTarget | None = optional(
        f"New target of the leads that come from the source. MYSELF clears teamSelectionMethod and teamId. {NOT_NULL}"
    )
    team_selection_method: TeamSelectionMethod | None = optional(METHOD)
    team_id: strawberry.ID | None = optional(TEAM)
    lead_type: str | None = optional(f"Type of leads that the route serves, {LEAD_TYPE} Null serves all types.")


@strawberry.input(
    description="A contact: the person who enquires. In an update, a field that is left out keeps its value and null "
    "clears it."
)
class ContactInput:
    first_name: str | None = optional(f"First name, at most {LONGEST_TEXT} characters.")
    last_name: str | None = optional(f"Last name, at most {LONGEST_TEXT} characters.")
    email: str | None = optional(f"E-mail address, at most {LONGEST_TEXT} characters.")
    mobile_phone: str | None = optional(
        "Phone number, stored in the format +12025550142. Without a country code it is taken as a US number."
    )


@strawberry.input(
    description="A new lead. Send either contactId or contact. Without distributionTarget, the lead takes target, "
    "method and team from a route of its source: the route for its type, else the route for all types. If there is no "
    "such route, the target is MYSELF."
)
class CreateLeadInput:
    contact_id: strawberry.ID | None = optional("Id of a contact that you created. Not allowed together with contact.")
    contact: ContactInput | None = optional("A new contact to create. Not allowed together with contactId.")
    source_id: strawberry.ID | None = optional("Id of a lead source that you created.")
    type: str | None = optional(f"Type of the lead, {LEAD_TYPE}")
    zipcode: str | None = optional(f"{ZIPCODE} Needed to choose a team by ZIPCODE.")
    message: str | None = optional(MESSAGE)
    listing_price: int | None = optional(LISTING_PRICE)
    mls_id: str | None = optional(MLS_ID)
    listing_status: str | None = optional(LISTING_STATUS)
    street_address: str | None = optional(STREET_ADDRESS)
    city: str | None = optional(CITY)
    state: str | None = optional(STATE)
    language: str | None = optional(LANGUAGE)
    external_id: str | None = optional(
        f"The source's own id of the enquiry: 1 to {LONGEST_TEXT} characters. If you already have a lead with this id "
        "from the source, the error is CONFLICT."
    )
    distribution_target: DistributionTarget | None = optional(
        "Whether the lead stays with its creator or is offered to a team. If given, the "
        "routes of the source are ignored."
    )
    team_selection_method: TeamSelectionMethod | None = optional(f"{METHOD} {NEEDS_TARGET}")
    team_id: strawberry.ID | None = optional(f"{TEAM} {NEEDS_TARGET}")


@strawberry.input(
    description="An enquiry. An optional value that cannot be read is left out and named in ignored: only an enquiry "
    "that nobody could answer is refused."
)
class ReceiveLeadInput:
    contact: ContactInput = required(
        "The person who enquires, with an e-mail address or a phone number. A contact of yours with the same address, "
        "else with the same number, gets the lead; what it lacks is filled in, and nothing that it has is changed."
    )
    external_id: str | None = optional(
        f"The source's own id of the enquiry: 1 to {LONGEST_TEXT} characters. Sent again for the same source, it "
        "returns the first lead and changes nothing. Without it, each call is an enquiry of its own."
    )
    source_id: strawberry.ID | None = optional(
        "Id of a lead source that you created. Its routes decide where the lead goes. Without a source or a route, the "
        "lead stays with you."
    )
    type: str | None = optional(f"Type of the lead, {LEAD_TYPE}")
    zipcode: str | None = optional(f"{ZIPCODE} Needed if a route chooses the team by ZIPCODE.")
    message: str | None = optional(MESSAGE)
    listing_price: int | None = optional(LISTING_PRICE)
    mls_id: str | None = optional(MLS_ID)
    listing_status: str | None = optional(LISTING_STATUS)
    street_address: str | None = optional(STREET_ADDRESS)
    city: str | None = optional(CITY)
    state: str | None = optional(STATE)
    language: str | None = optional(LANGUAGE)


@strawberry.input(
    description=f"Changes to a lead. {PATCH} distributionTarget, teamSelectionMethod, teamId and zipcode can change "
    "only while the lead is unclaimed and has no SCHEDULED or SENT offer; otherwise the error is CONFLICT."
)
class UpdateLeadInput:
    source_id: strawberry.ID | None = optional(
        f"Id of a lead source that you created. {CLEARED} If you already have a lead with this lead's externalId from "
        "the source, the error is CONFLICT."
    )
    type: str | None = optional(f"Type of the lead, {LEAD_TYPE} {CLEARED}")
    zipcode: str | None = optional(f"{ZIPCODE} {CLEARED}")
    message: str | None = optional(f"{MESSAGE} {CLEARED}")
    listing_price: int | None = optional(f"{LISTING_PRICE} {CLEARED}")
    mls_id: str | None = optional(f"{MLS_ID} {CLEARED}")
    listing_status: str | None = optional(f"{LISTING_STATUS} {CLEARED}")
    street_address: str | None = optional(f"{STREET_ADDRESS} {CLEARED}")
    city: str | None = optional(f"{CITY} {CLEARED}")
    state: str | None = optional(f"{STATE} {CLEARED}")
    language: str | None = optional(f"{LANGUAGE} {CLEARED}")
    distribution_target: DistributionTarget | None = optional(
        f"Whether the lead stays with its creator or is offered to a team. MYSELF clears "
        f"teamSelectionMethod and teamId. {NOT_NULL}"
    )
    team_selection_method: TeamSelectionMethod | None = optional(METHOD)
    team_id: strawberry.ID | None = optional(TEAM)
