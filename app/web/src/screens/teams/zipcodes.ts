const MOST = 5_000;
const SHOWN = 5;

/** The ZIP codes in a text, which commas, semicolons, spaces or lines separate, and what is wrong with them. */
export function readZipcodes(text: string): { zipcodes: string[]; problem: string | null } {
  const zipcodes = text.split(/[\s,;]+/).filter(Boolean);
  const wrong = zipcodes.filter((zipcode) => !/^[0-9]{5}(-[0-9]{4})?$/.test(zipcode));
  const codes = zipcodes.map((zipcode) => zipcode.slice(0, 5));
  const repeated = [...new Set(codes.filter((code, index) => codes.indexOf(code) !== index))];
  const problems = [
    wrong.length > 0 && `Not a ZIP code of five digits: ${some(wrong)}.`,
    wrong.length === 0 && repeated.length > 0 && `Entered more than once: ${some(repeated)}.`,
    zipcodes.length > MOST && "A team can have at most 5,000 ZIP codes.",
  ].filter(Boolean);
  return { zipcodes, problem: problems.length > 0 ? problems.join(" ") : null };
}

function some(values: string[]): string {
  const rest = values.length - SHOWN;
  return values.slice(0, SHOWN).join(", ") + (rest > 0 ? ` and ${String(rest)} more` : "");
}
