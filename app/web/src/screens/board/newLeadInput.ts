import type { CreateLeadInput } from "../../gql/board/graphql";

/** Where a new lead goes: nowhere, to the team of its ZIP code, or to the team with this id. */
export const MYSELF = "myself";
export const BY_ZIPCODE = "zipcode";

export const NO_VALUES = {
  firstName: "",
  lastName: "",
  email: "",
  mobilePhone: "",
  type: "",
  streetAddress: "",
  city: "",
  state: "",
  zipcode: "",
  listingPrice: "" as number | string,
  message: "",
  sourceId: null as string | null,
  target: BY_ZIPCODE,
};

export type NewLeadValues = typeof NO_VALUES;

/** What to do about each field that the API refuses. */
export const REFUSED = {
  firstName: "Enter a first name of at most 255 characters.",
  lastName: "Enter a last name of at most 255 characters.",
  email: "Enter an e-mail address, for example ada@example.com.",
  mobilePhone: "Enter a phone number with its area code, for example +1 202 555 0142.",
  type: "Enter at most 255 characters.",
  streetAddress: "Enter at most 255 characters.",
  city: "Enter at most 255 characters.",
  state: "Enter at most 255 characters.",
  zipcode: "Enter a US ZIP code of five digits, for example 10504.",
  listingPrice: "Enter a whole number from 0 to 2,147,483,647.",
  message: "Enter at most 10,000 characters.",
  sourceId: "Choose another source. This one is no longer there.",
  teamId: "Choose another team. This one cannot be used.",
};

/** What is missing, by field. The API takes a contact without a name and a lead that nobody can reach; people do not. */
export function missingFrom(values: NewLeadValues): Partial<Record<keyof NewLeadValues, string>> {
  const { firstName, lastName, email, mobilePhone, zipcode, target } = values;
  const has = (...texts: string[]) => texts.some((text) => text.trim());
  return {
    ...(!has(firstName, lastName) && { firstName: "Enter the name of the person who enquires." }),
    ...(!has(email, mobilePhone) && { email: "Enter an e-mail address or a phone number." }),
    ...(target === BY_ZIPCODE && !has(zipcode) && { zipcode: "Enter the ZIP code that chooses the team." }),
  };
}

/** The lead as the API takes it. A field that was left empty is null. */
export function inputOf(values: NewLeadValues): CreateLeadInput {
  const { firstName, lastName, email, mobilePhone, target, sourceId, listingPrice, message, ...place } = values;
  const text = (value: string) => value.trim() || null;
  return {
    contact: {
      firstName: text(firstName),
      lastName: text(lastName),
      email: text(email),
      mobilePhone: text(mobilePhone),
    },
    type: text(place.type),
    streetAddress: text(place.streetAddress),
    city: text(place.city),
    state: text(place.state),
    zipcode: text(place.zipcode),
    message: text(message),
    listingPrice: listingPrice === "" ? null : Number(listingPrice),
    sourceId,
    ...targetOf(target),
  };
}

function targetOf(target: string): Pick<CreateLeadInput, "distributionTarget" | "teamSelectionMethod" | "teamId"> {
  if (target === MYSELF) return { distributionTarget: "MYSELF" };
  if (target === BY_ZIPCODE) return { distributionTarget: "TEAM_ROLLOUT", teamSelectionMethod: "ZIPCODE" };
  return { distributionTarget: "TEAM_ROLLOUT", teamSelectionMethod: "SPECIFIC_TEAM", teamId: target };
}
