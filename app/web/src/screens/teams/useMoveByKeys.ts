import { type KeyboardEvent, useState } from "react";

/** A person who is moved by keys, and the place at which they are now. */
interface Picked {
  id: string;
  to: number;
}

/**
 * Moves a person with Space, the arrow keys and Space; Escape takes it back. Each key changes the order at once, so that
 * none is lost, however fast they are pressed. `ids` are those of the people as they were before, `drop` gets the places
 * from which and to which a person was moved, and `say` announces what happens to a person.
 */
export function useMoveByKeys(
  ids: string[],
  drop: (from: number, to: number) => void,
  say: (id: string, event: string) => void,
) {
  const [picked, setPicked] = useState<Picked | null>(null);

  const press = (event: KeyboardEvent, id: string) => {
    const { key } = event;
    const isMoving = picked?.id === id;
    if (!isMoving && (key === " " || key === "Enter")) {
      const to = ids.indexOf(id);
      setPicked({ id, to });
      say(id, `is picked up at place ${String(to + 1)}`);
    } else if (isMoving && (key === "ArrowUp" || key === "ArrowDown")) {
      const to = Math.min(Math.max(picked.to + (key === "ArrowUp" ? -1 : 1), 0), ids.length - 1);
      setPicked({ id, to });
      say(id, `is at place ${String(to + 1)}`);
    } else if (isMoving && (key === " " || key === "Enter")) {
      setPicked(null);
      drop(ids.indexOf(id), picked.to);
      say(id, `is dropped at place ${String(picked.to + 1)}`);
    } else if (isMoving && key === "Escape") {
      cancel();
    } else {
      return;
    }
    event.preventDefault();
  };

  const cancel = () => {
    if (!picked) return;
    setPicked(null);
    say(picked.id, "is back at their place");
  };

  return { picked, press, cancel };
}
