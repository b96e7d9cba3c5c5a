import { NumberInput } from "@mantine/core";
import { useState } from "react";
import { LOCALE } from "../../time/locale";

interface NumberFieldProps {
  label: string;
  /** The person whom it is about, for screen readers. */
  about: string;
  value: number | null;
  min: number;
  max: number;
  /** What an empty field means; without it, a number is required. */
  empty?: string;
  /** Saves the number, and returns whether it was saved. */
  save: (value: number | null) => Promise<boolean>;
}

/** A whole number that is saved when the field is left, or by Enter. What is wrong is said below, and stays there. */
export function NumberField({ label, about, value, min, max, empty, save }: NumberFieldProps) {
  const [draft, setDraft] = useState<number | string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  const commit = async () => {
    if (draft === null) return;
    const number = draft === "" ? null : Number(draft);
    const isGood = number === null ? empty !== undefined : Number.isInteger(number) && number >= min && number <= max;
    if (!isGood) {
      setProblem(`Enter a whole number from ${min.toLocaleString(LOCALE)} to ${max.toLocaleString(LOCALE)}.`);
      return;
    }
    if (number === value || (await save(number))) setDraft(null);
  };

  return (
    <NumberInput
      label={label}
      aria-label={`${label}: ${about}`}
      placeholder={empty ?? ""}
      value={draft ?? value ?? ""}
      allowDecimal={false}
      allowNegative={false}
      clampBehavior="none"
      hideControls
      w={130}
      error={problem}
      onChange={(next) => {
        setDraft(next);
        setProblem(null);
      }}
      onBlur={() => void commit()}
      onKeyDown={(event) => {
        if (event.key === "Enter") void commit();
      }}
    />
  );
}
