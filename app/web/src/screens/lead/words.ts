import type { Channel, ClaimedVia, DeliveryStatus, LeadOfferStatus, SkipReason } from "../../gql/lead/graphql";

export const OFFER: Record<LeadOfferStatus, { label: string; color: string }> = {
  SCHEDULED: { label: "Scheduled", color: "gray" },
  SENT: { label: "Offered", color: "blue" },
  CLAIMED: { label: "Claimed", color: "green" },
  DECLINED: { label: "Declined", color: "orange" },
  EXPIRED: { label: "Went to somebody else", color: "gray" },
  CANCELLED: { label: "Withdrawn", color: "gray" },
};

export const CHANNEL: Record<Channel, string> = { CALL: "Call", EMAIL: "E-mail", TEXT: "Text message" };

export const DELIVERY: Record<DeliveryStatus, string> = {
  PENDING: "waiting",
  SENT: "sent",
  DELIVERED: "delivered",
  FAILED: "failed",
  CANCELLED: "not sent",
};

export const SKIPPED: Record<SkipReason, string> = {
  ALREADY_OFFERED: "already has an offer of this lead, or declined it",
  BEYOND_LIMIT: "comes after the number of members to whom the team offers a lead",
  CAP_REACHED: "has reached their limit of leads a day",
  INVITATION_DECLINED: "declined the invitation to the team",
  INVITATION_PENDING: "has not answered the invitation to the team",
  NOT_A_MEMBER: "is not a member of the team",
  NO_DISTRIBUTION_OPTION: "is not set up to be offered leads",
  USER_AWAY: "is away",
  USER_INACTIVE: "has an inactive account",
};

export const VIA: Record<ClaimedVia, string> = {
  APP: "claimed it in the app",
  ASSIGNED: "was assigned the lead",
  AUTO: "was assigned the lead automatically",
  EMAIL: "claimed it by e-mail",
  PHONE: "claimed it by phone",
  TEXT: "claimed it by text message",
};

/** Why a message failed, by what the API's reason says. A later server may give reasons that are not known here. */
const FAILURES: [RegExp, string][] = [
  [/no e-mail address/, "their account has no e-mail address"],
  [/no phone number/, "their account has no phone number"],
  [/address is not valid/, "their e-mail address is not valid"],
  [/opted out/, "they have opted out of text messages"],
  [/not configured/, "this server does not send such messages"],
  [/in time/, "the message service did not respond in time"],
  [/connection|resolved/, "the message service could not be reached"],
  [/login|account|internal address/, "the message service of this server is not set up correctly"],
  [/reject|responded/, "the message service refused it"],
];

export function failureOf(error: string): string {
  return FAILURES.find(([reason]) => reason.test(error))?.[1] ?? "something went wrong on the server";
}
