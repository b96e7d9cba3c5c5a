import { type RefObject, useEffect, useRef } from "react";

const AFTER_DIALOG = 300; // ms; a dialog that was confirmed takes the focus with it as it fades

/**
 * Keeps the focus in a list whose card had it and has left, as after a claim: the list itself gets it, so that somebody
 * at the keyboard or a screen reader goes on from there. `count` is that of the cards.
 */
export function useFocusKept(count: number): RefObject<HTMLElement | null> {
  const list = useRef<HTMLElement>(null);
  const known = useRef(count);
  const hadFocus = useRef(false);
  useEffect(() => {
    const note = () => {
      const active = document.activeElement;
      if (active?.closest("[role=dialog]")) return; // asked by a card
      hadFocus.current = list.current?.contains(active) ?? false;
    };
    document.addEventListener("focusin", note);
    return () => {
      document.removeEventListener("focusin", note);
    };
  }, []);
  useEffect(() => {
    const isFewer = count < known.current;
    known.current = count;
    if (!isFewer || !hadFocus.current) return undefined;
    const timer = setTimeout(() => {
      if (document.activeElement === document.body) list.current?.focus({ preventScroll: true });
    }, AFTER_DIALOG);
    return () => {
      clearTimeout(timer);
    };
  }, [count]);
  return list;
}
