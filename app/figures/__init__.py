"""Figures of leads and of members, for the APIs and the command line. docs/figures.md defines each of them."""

from app.figures.lead_figures import LeadFigures, lead_figures
from app.figures.member_figures import MemberFigures, member_figures

__all__ = ["LeadFigures", "MemberFigures", "lead_figures", "member_figures"]
