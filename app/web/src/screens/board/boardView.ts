import type { BoardQueryVariables, ContactWhere, LeadSort } from "../../gql/board/graphql";
import { type LeadStatus, STATUSES } from "./leadStatus";

export const PAGE_SIZE = 25;
const LAST_PAGE = 1_000_000; // the API takes no larger skip

export const SORTS = {
  newest: { label: "Newest first", sort: [{ field: "CREATED_AT", direction: "DESC" }] },
  oldest: { label: "Oldest first", sort: [{ field: "CREATED_AT", direction: "ASC" }] },
  claimed: { label: "Last claimed first", sort: [{ field: "CLAIMED_AT", direction: "DESC" }] },
  price: { label: "Highest price first", sort: [{ field: "LISTING_PRICE", direction: "DESC" }] },
  name: { label: "Contact’s last name", sort: [{ field: "CONTACT_LAST_NAME", direction: "ASC" }] },
} as const satisfies Record<string, { label: string; sort: LeadSort[] }>;

/** What the address says about the board. Values that make no sense are left out. */
export interface BoardView {
  search: string;
  status: LeadStatus | null;
  source: string | null;
  team: string | null;
  city: string;
  sort: keyof typeof SORTS;
  page: number;
}

export function viewOf(address: URLSearchParams): BoardView {
  const status = address.get("status") ?? "";
  const sort = address.get("sort") ?? "";
  const page = Number(address.get("page") ?? 1);
  return {
    search: address.get("search") ?? "",
    status: Object.hasOwn(STATUSES, status) ? (status as LeadStatus) : null,
    source: address.get("source"),
    team: address.get("team"),
    city: address.get("city") ?? "",
    sort: Object.hasOwn(SORTS, sort) ? (sort as keyof typeof SORTS) : "newest",
    page: Number.isInteger(page) && page >= 1 && page <= LAST_PAGE ? page : 1,
  };
}

/** The address of a view, without what is the default. */
export function addressOf({ search, status, source, team, city, sort, page }: BoardView): URLSearchParams {
  const values = {
    search,
    status,
    source,
    team,
    city,
    sort: sort === "newest" ? "" : sort,
    page: page > 1 ? page : "",
  };
  return new URLSearchParams(Object.entries(values).flatMap(([name, value]) => (value ? [[name, String(value)]] : [])));
}

export function isFiltered({ search, status, source, team, city }: BoardView): boolean {
  return Boolean(search.trim() || status || source || team || city.trim());
}

/** How many filters other than the search are in use. An order other than the default counts as one. */
export function activeFilters({ status, source, team, city, sort }: BoardView): number {
  return [status, source, team, city.trim(), sort !== "newest"].filter(Boolean).length;
}

/** The leads of a view: those that the viewer created. */
export function variablesOf(view: BoardView, me: string): BoardQueryVariables {
  const { search, status, source, team, city, sort, page } = view;
  const contact = contactWhere(search);
  return {
    where: {
      creatorId: { eq: me },
      ...(status && STATUSES[status].where),
      ...(source && { sourceId: { eq: source } }),
      ...(team && { rolloutTeamId: { eq: team } }),
      ...(city.trim() && { city: { contains: city.trim() } }),
      ...(contact && { contact }),
    },
    sort: [...SORTS[sort].sort],
    limit: PAGE_SIZE,
    skip: (page - 1) * PAGE_SIZE,
  };
}

/** Contacts with each word in their name or e-mail address, or with the phone number, however it is written. */
function contactWhere(search: string): ContactWhere | null {
  const text = search.trim();
  if (!text) return null;
  if (/^[+()\d\s./-]+$/.test(text) && /\d/.test(text)) return { mobilePhone: { contains: text.replace(/\D/g, "") } };
  const words = text.split(/\s+/).slice(0, 10); // the API allows only so many conditions
  return {
    and: words.map((word) => ({
      or: [{ firstName: { contains: word } }, { lastName: { contains: word } }, { email: { contains: word } }],
    })),
  };
}
