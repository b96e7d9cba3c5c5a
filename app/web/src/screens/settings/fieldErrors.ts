import { invalidFields } from "../../api/errors";

/** For each field of a form that the API refused, what to do about it. The API names fields such as `input.phone`. */
export function fieldErrors(error: unknown, words: Record<string, string>): Record<string, string> {
  const refused = invalidFields(error).map((field) => field.split(".").at(-1) ?? field);
  return Object.fromEntries(Object.entries(words).filter(([field]) => refused.includes(field)));
}
