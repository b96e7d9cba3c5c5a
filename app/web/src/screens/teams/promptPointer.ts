import {
  type Active,
  type Collision,
  getFirstCollision,
  PointerSensor,
  type PointerSensorOptions,
  type SensorProps,
} from "@dnd-kit/core";
import { flushSync } from "react-dom";

/**
 * Follows the pointer without delay. React renders a movement of the pointer in a later task, and dnd-kit drops where it
 * last rendered: on a busy machine, a drag that ends before that would be lost.
 */
export class PromptPointerSensor extends PointerSensor {
  constructor(props: SensorProps<PointerSensorOptions>) {
    super({
      ...props,
      onMove: (coordinates) => {
        flushSync(() => {
          props.onMove(coordinates);
        });
      },
    });
  }
}

/** The id of the nearest place. It is as new as the last movement; `over` of the event is set after it was rendered. */
export function placeOf({ active, collisions }: { active: Active; collisions: Collision[] | null }): string {
  return String(getFirstCollision(collisions, "id") ?? active.id);
}
