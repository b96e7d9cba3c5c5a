"""The queries that scripts/bench measures, and their variables."""

from typing import Any

from bench_data import VIEWER, Data

OFFER = """id notifyAt rank assignAutomatically hasCallAlert hasTextAlert hasEmailAlert
    lead { id distributionTarget contact { id firstName lastName } }
    user { id firstName lastName email } team { id name }"""
OFFERS = f"""query Offers($lead: ID, $limit: Int) {{
    leadOffers(leadId: $lead, sort: [{{field: NOTIFY_AT, direction: DESC}}], limit: $limit) {{
        total limit skip data {{ {OFFER} }} }} }}"""
PAGE = f"""query Page($where: LeadOfferWhere) {{
    leadOffers(where: $where, sort: [{{field: NOTIFY_AT, direction: DESC}}]) {{ data {{ {OFFER} }} }} }}"""
BOARD = """query Board($limit: Int) {
    leads(sort: [{field: CREATED_AT, direction: DESC}], limit: $limit) { total data {
        id type zipcode createdAt claimedAt
        contact { id firstName lastName } team { id name } claimedBy { id firstName lastName }
        offers(sort: [{field: NOTIFY_AT}], limit: 10) {
            total data { id status notifyAt rank user { id firstName lastName } } } } } }"""
LEADS = """query Leads($limit: Int) {
    leads(sort: [{field: CREATED_AT, direction: DESC}], limit: $limit) { data {
        id type zipcode createdAt
        contact { id firstName lastName } team { id name } claimedBy { id firstName lastName } } } }"""
DETAIL = """query Detail($id: ID!) { lead(id: $id) {
    id type zipcode createdAt claimedAt claimedVia timeToClaim contact { id firstName lastName }
    offers(sort: [{field: NOTIFY_AT}], limit: 25) { data {
        id status notifyAt rank user { id firstName lastName }
        deliveries { id channel status attempts sentAt } } } } }"""
TEAM = """query Team($id: ID!) { team(id: $id) {
    id name orderMethod minsUntilNextAlert
    members(limit: 25) { data { id requestStatus user { id firstName lastName email } } }
    distributionOptions(limit: 25) {
        data { id rank minsUntilLeadOffer assignAutomatically user { id firstName } } } } }"""

DESCRIPTIONS = {
    "lead": "ten offers of one lead",
    "inbox10": "ten offers of an inbox of 2,000",
    "inbox100": "a hundred of the same inbox",
    "board20": "20 leads, each with contact, team, holder and ten offers",
    "leads100": "100 leads with contact, team and holder",
    "detail": "a lead with its offers and their deliveries",
    "team": "a team with members and options",
}


def workloads(data: Data) -> dict[str, dict[str, Any]]:
    """Return the request bodies by the name of the workload."""
    ((lead,),) = data.ask("SELECT min(lead_id) FROM lead_offers WHERE offered_by_id = $1", VIEWER)
    ((team,),) = data.ask("SELECT min(id) FROM teams WHERE creator_id = $1", VIEWER)
    return {
        "lead": {"query": OFFERS, "variables": {"lead": str(lead), "limit": 10}},
        "inbox10": {"query": OFFERS, "variables": {"limit": 10}},
        "inbox100": {"query": OFFERS, "variables": {"limit": 100}},
        "board20": {"query": BOARD, "variables": {"limit": 20}},
        "leads100": {"query": LEADS, "variables": {"limit": 100}},
        "detail": {"query": DETAIL, "variables": {"id": str(lead)}},
        "team": {"query": TEAM, "variables": {"id": str(team)}},
    }
