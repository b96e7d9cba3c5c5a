import { useMutation } from "@apollo/client/react";
import { closestCenter, DndContext, type DragEndEvent, useSensor, useSensors } from "@dnd-kit/core";
import { arrayMove, SortableContext, useSortable, verticalListSortingStrategy } from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { ActionIcon, VisuallyHidden } from "@mantine/core";
import { IconGripVertical } from "@tabler/icons-react";
import { type KeyboardEvent, type ReactNode, useEffect, useState } from "react";

import { ChangeOptionDocument, type OptionPartsFragment, TeamNotesDocument } from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";
import { nameOf, type Person } from "./people";
import { placeOf, PromptPointerSensor } from "./promptPointer";
import { ranksAfterMove } from "./ranks";
import { useMoveByKeys } from "./useMoveByKeys";

interface SortablePeopleProps {
  people: Person[];
  render: (person: Person, handle: ReactNode) => ReactNode;
}

/** People by rank, whose order is changed by dragging a handle, or on it by Space, arrow keys and Space. */
export function SortablePeople({ people, render }: SortablePeopleProps) {
  const sensors = useSensors(useSensor(PromptPointerSensor));
  const [said, setSaid] = useState("");
  const write = useMove();
  const ids = people.map(({ user }) => user.id);
  const move = (from: number, to: number) => {
    if (from !== to && from >= 0 && to >= 0) void write(arrayMove(people, from, to), to);
  };
  const say = (id: string, event: string) => {
    const person = people.find(({ user }) => user.id === id);
    if (person) setSaid(`${nameOf(person.user)} ${event}.`);
  };
  const { picked, press, cancel } = useMoveByKeys(ids, move, say);
  const drop = (event: DragEndEvent) => {
    const [id, to] = [String(event.active.id), ids.indexOf(placeOf(event))];
    move(ids.indexOf(id), to);
    say(id, `is dropped at place ${String(to + 1)}`);
  };
  const from = picked ? ids.indexOf(picked.id) : -1;
  const shown = picked && from >= 0 ? arrayMove(people, from, picked.to) : people;
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={closestCenter}
      onDragStart={cancel}
      onDragEnd={drop}
      accessibility={{ announcements: SILENT, screenReaderInstructions: INSTRUCTIONS }}
    >
      <SortableContext items={shown.map(({ user }) => user.id)} strategy={verticalListSortingStrategy}>
        {shown.map((person) => (
          <SortablePerson
            key={person.user.id}
            person={person}
            place={person.user.id === picked?.id ? picked.to : null}
            onKeyDown={press}
            onBlur={cancel}
            render={render}
          />
        ))}
      </SortableContext>
      <VisuallyHidden aria-live="assertive">{said}</VisuallyHidden>
    </DndContext>
  );
}

interface SortablePersonProps {
  person: Person;
  /** Where a person who is moved by keys is now; null for the others. */
  place: number | null;
  onKeyDown: (event: KeyboardEvent, id: string) => void;
  onBlur: () => void;
  render: SortablePeopleProps["render"];
}

function SortablePerson({ person, place, onKeyDown, onBlur, render }: SortablePersonProps) {
  const { attributes, listeners, node, setNodeRef, setActivatorNodeRef, transform, transition } = useSortable({
    id: person.user.id,
  });
  useEffect(() => {
    if (place !== null) node.current?.scrollIntoView({ block: "nearest" });
  }, [place, node]);
  const handle = (
    <ActionIcon
      ref={setActivatorNodeRef}
      variant={place === null ? "default" : "filled"}
      size="lg"
      style={{ cursor: "grab", touchAction: "none" }}
      {...attributes}
      {...listeners}
      aria-label={`Move ${nameOf(person.user)}`}
      aria-pressed={place === null ? attributes["aria-pressed"] : true}
      onKeyDown={(event) => {
        onKeyDown(event, person.user.id);
      }}
      onBlur={onBlur}
    >
      <IconGripVertical size={18} aria-hidden />
    </ActionIcon>
  );
  return (
    <div ref={setNodeRef} style={{ transform: CSS.Translate.toString(transform), transition }}>
      {render(person, handle)}
    </div>
  );
}

/** Writes the ranks of a new order. All of them show at once; those that the server refuses go back. */
function useMove() {
  const [changeOption, { client }] = useMutation(ChangeOptionDocument);
  return async (order: Person[], to: number) => {
    const options = order.flatMap(({ option }) => (option ? [option] : []));
    const moved = order[to]?.option;
    if (!moved) return;
    const known = new Map<string, OptionPartsFragment>(options.map((option) => [option.id, option]));
    const changes = ranksAfterMove(options, moved.id).map(({ id, rank }) => {
      const option = known.get(id) ?? moved;
      return changeOption({
        variables: { id, input: { rank } },
        optimisticResponse: { updateDistributionOption: { distributionOption: { ...option, rank } } },
      });
    });
    await attempt(Promise.all(changes));
    await client.refetchQueries({ include: [TeamNotesDocument] });
  };
}

const INSTRUCTIONS = {
  draggable: "Press Space to pick the member up, the arrow keys to move them, Space to drop, and Escape to cancel.",
};

/** Nothing is announced while the pointer drags: whoever drags with it sees where. */
const SILENT = {
  onDragStart: () => undefined,
  onDragOver: () => undefined,
  onDragEnd: () => undefined,
  onDragCancel: () => undefined,
};
