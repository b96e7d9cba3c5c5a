import { CombinedGraphQLErrors, ServerError } from "@apollo/client/errors";

/** How a person goes on after an error: repeats the request, loads the page again, or does what the text says. */
export type WayOn = "retry" | "reload" | "none";

export interface ErrorWords {
  title: string;
  text: string;
  wayOn: WayOn;
}

/** The codes of app/errors.py. A test compares the two lists. */
export type Code = keyof typeof WORDS;

const OUTDATED: ErrorWords = {
  title: "This page is out of date",
  text: "The server no longer understands this version of the page. Load the page again.",
  wayOn: "reload",
};

/** What each error code of the API means to the person at the screen. */
export const WORDS = {
  UNAUTHENTICATED: { title: "You are signed out", text: "Your session has ended. Sign in again.", wayOn: "reload" },
  FORBIDDEN: {
    title: "You may not do this",
    text: "Your account does not have the permission. Ask the leader of your team.",
    wayOn: "none",
  },
  NOT_FOUND: {
    title: "It is no longer there",
    text: "It may have been deleted, or you may have lost access to it. Go back to the list.",
    wayOn: "none",
  },
  BAD_USER_INPUT: {
    title: "Something you entered is not valid",
    text: "Check the values that you entered, then send them again.",
    wayOn: "none",
  },
  CONFLICT: {
    title: "Somebody else changed this",
    text: "It has changed in the meantime. Look at the current values, then try again.",
    wayOn: "retry",
  },
  NOT_TEAM_ROLLOUT: {
    title: "This lead is not for a team",
    text: "Choose a team, or distribution by ZIP code, for the lead before you submit it.",
    wayOn: "none",
  },
  ALREADY_CLAIMED: {
    title: "Somebody was faster",
    text: "Another agent has claimed this lead.",
    wayOn: "none",
  },
  TEAM_NOT_USABLE: {
    title: "The team cannot be used",
    text: "It was deleted, or you have no access to it. Choose another team for the lead.",
    wayOn: "none",
  },
  ZIPCODE_MISSING: {
    title: "The lead has no ZIP code",
    text: "Its team is chosen by ZIP code. Add the ZIP code to the lead, or choose a team.",
    wayOn: "none",
  },
  NO_TEAM_FOR_ZIPCODE: {
    title: "No team serves this ZIP code",
    text: "Add the ZIP code to one of your teams, or choose a team for the lead.",
    wayOn: "none",
  },
  NO_DISTRIBUTION_OPTIONS: {
    title: "The team has no distribution options",
    text: "Say for at least one member how the team offers leads to them.",
    wayOn: "none",
  },
  NO_ELIGIBLE_MEMBERS: {
    title: "Nobody in the team can get this lead",
    text: "All members are away, inactive, or without a channel. Look at the warnings of the team.",
    wayOn: "none",
  },
  OFFER_NOT_OPEN: {
    title: "This offer is not open",
    text: "It has been withdrawn or declined, or it is not your turn yet.",
    wayOn: "none",
  },
  CHANGES_MISSED: {
    title: "Some changes may be missing",
    text: "The page did not receive all changes. Try again.",
    wayOn: "retry",
  },
  QUERY_TOO_COMPLEX: {
    title: "This is too much at once",
    text: "Narrow the list down with a filter, or choose a shorter span.",
    wayOn: "none",
  },
  RATE_LIMITED: {
    title: "Too many requests",
    text: "Wait for a moment, then try again.",
    wayOn: "retry",
  },
  TIMEOUT: { title: "The server took too long", text: "Nothing was changed. Try again.", wayOn: "retry" },
  UNAVAILABLE: {
    title: "The server is not available right now",
    text: "Nothing was changed. Try again in a minute.",
    wayOn: "retry",
  },
  GRAPHQL_PARSE_FAILED: OUTDATED,
  GRAPHQL_VALIDATION_FAILED: OUTDATED,
  BAD_REQUEST: OUTDATED,
  PERSISTED_QUERY_NOT_FOUND: OUTDATED,
  PERSISTED_QUERY_NOT_SUPPORTED: OUTDATED,
  DOCUMENT_NOT_TRUSTED: OUTDATED,
  INTERNAL_SERVER_ERROR: {
    title: "The server made a mistake",
    text: "Nothing was changed. Try again; if it happens again, tell the people who run the server.",
    wayOn: "retry",
  },
} satisfies Record<string, ErrorWords>;

const NO_CONNECTION: ErrorWords = {
  title: "The server cannot be reached",
  text: "Check your connection to the internet, then try again.",
  wayOn: "retry",
};

/** The words for an error of a request, whatever it is. A later version of the API may have codes that are not known here. */
export function describeError(error: unknown): ErrorWords {
  const code = codeOf(error);
  if (code !== null) return WORDS[code];
  return CombinedGraphQLErrors.is(error) || ServerError.is(error) ? WORDS.INTERNAL_SERVER_ERROR : NO_CONNECTION;
}

/** The code of the API in an error; null if it has none, such as when the server cannot be reached. */
export function codeOf(error: unknown): Code | null {
  const code = rawCode(error);
  return typeof code === "string" && Object.hasOwn(WORDS, code) ? (code as Code) : null;
}

/** The fields that a BAD_USER_INPUT is about, such as `input.phone`, for the forms that have them. */
export function invalidFields(error: unknown): string[] {
  if (!CombinedGraphQLErrors.is(error)) return [];
  return error.errors.flatMap(({ extensions }) => {
    const problems = extensions?.["problems"] as { field: string }[] | undefined;
    return problems?.map(({ field }) => field) ?? (extensions?.["field"] ? [String(extensions["field"])] : []);
  });
}

function rawCode(error: unknown): unknown {
  if (CombinedGraphQLErrors.is(error)) return error.errors[0]?.extensions?.["code"];
  if (!ServerError.is(error)) return null;
  try {
    const body = JSON.parse(error.bodyText) as { errors?: { extensions?: { code?: unknown } }[] };
    return body.errors?.[0]?.extensions?.code;
  } catch {
    return error.statusCode === 503 ? "UNAVAILABLE" : null;
  }
}
